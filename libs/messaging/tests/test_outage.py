"""A broker that goes away and comes back."""

import asyncio
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from errors import Transient
from messaging import Consumer, Kafka, Patience, Producer, catalogue, ensure_topics, fact, new_id
from rossio.news.v1.events_pb2 import PostAcknowledged


@pytest.mark.slow
async def test_a_broker_that_dies_and_comes_back_loses_nothing_and_one_that_stays_away_keeps_nobody_from_stopping(
    own_kafka, until
):
    kafka = Kafka(own_kafka.bootstrap)
    stream = replace(catalogue().stream("news.post.v1"), name="outage", partitions=4, consumers=("probe",))
    await ensure_topics(kafka, streams=[stream])
    handled: Counter[str] = Counter()

    async def handle(deliveries):
        handled.update(delivery.subject for delivery in deliveries)

    def acknowledged(number):
        message = PostAcknowledged(post_id=f"key-{number}", entity_id="e01")
        return replace(fact(message, id=new_id(), at=datetime.now(UTC)), topic=stream.name)

    producer = Producer(kafka)
    await producer.start()
    consumer = Consumer(kafka, stream, "probe", {PostAcknowledged: handle}, patience=Patience(grace=1, drain=1))
    await consumer.start()
    await producer.publish([acknowledged(number) for number in range(100)])
    await until(lambda: len(handled) == 100)

    own_kafka.kill()
    publishing = asyncio.create_task(producer.publish([acknowledged(number) for number in range(100, 200)]))
    with pytest.raises(Transient):
        await Producer(kafka).start()
    with pytest.raises(Transient):
        await Consumer(kafka, stream, "probe", {PostAcknowledged: handle}).start()
    await asyncio.to_thread(own_kafka.start)
    await publishing
    await until(lambda: len(handled) == 200, 60)

    await producer.publish([acknowledged(number) for number in range(200, 300)])
    await until(lambda: len(handled) == 300)
    own_kafka.kill()
    begun = time.monotonic()
    await consumer.stop()
    assert time.monotonic() - begun < 30  # aiokafka alone would try to commit for ever
    await asyncio.wait_for(producer.stop(), 30)
