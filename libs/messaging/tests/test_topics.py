"""Topic administration on a real Kafka."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from errors import Conflict, Transient
from messaging import ensure_topics


async def described(kafka, name):
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        (topic,) = await admin.describe_topics([name])
        answers: list[Any] = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
        configs = {entry[0]: entry[1] for entry in answers[0].resources[0][4]}
        return len(topic["partitions"]), configs
    finally:
        await admin.close()


async def test_topics_are_made_and_made_again_to_no_effect(kafka, stream, until):
    await ensure_topics(kafka, streams=[stream])
    partitions, configs = await described(kafka, stream.name)
    assert partitions == 4
    assert configs["retention.ms"] == str(30 * 86_400_000)
    partitions, configs = await described(kafka, stream.dead_letters("other"))
    assert partitions == 1
    assert configs["max.message.bytes"] == str(stream.max_letter_bytes)


async def test_a_stream_that_changed_in_topics_yaml_is_changed_in_kafka(kafka, stream, until):
    changed = replace(stream, partitions=6, retention=timedelta(days=1))
    await ensure_topics(kafka, streams=[changed])

    async def there():
        partitions, configs = await described(kafka, stream.name)
        return partitions == 6 and configs["retention.ms"] == "86400000"

    await until(there)
    with pytest.raises(Conflict, match=f"{stream.name}; .* raise them there"):
        await ensure_topics(kafka, streams=[stream])


async def test_a_broker_that_is_away_is_said_to_be():
    with pytest.raises(Transient):
        await ensure_topics("127.0.0.1:1")
