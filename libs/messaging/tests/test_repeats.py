"""Topics that are not there yet: the client asks ten times a second, and the log has a line a minute."""

import logging

import pytest
from aiokafka import AIOKafkaConsumer
from messaging.kafka import Kafka
from messaging.repeats import OncePerMinute


def test_what_was_said_is_said_again_after_a_minute():
    now = 0.0
    once = OncePerMinute(lambda: now)
    passed = []
    for at in (0.0, 0.1, 59.9, 60.0, 60.1, 200.0):
        now = at
        for topic in ("a.v1", "b.v1"):
            record = logging.LogRecord("x", logging.ERROR, "f", 1, "Topic %s not found", (topic,), None)
            if once.filter(record):
                passed.append((at, topic))
    assert passed == [(at, topic) for at in (0.0, 60.0, 200.0) for topic in ("a.v1", "b.v1")]


@pytest.mark.kafka
async def test_a_client_that_waits_for_its_topic_logs_one_line(kafka: str, caplog: pytest.LogCaptureFixture):
    client = AIOKafkaConsumer(**Kafka(kafka).connection())
    await client.start()
    client.subscribe(["not.there.v1"])
    for _ in range(10):
        await client._client.force_metadata_update()
    await client.stop()
    said = [record for record in caplog.records if "not.there.v1 not found" in record.getMessage()]
    assert len(said) == 1
