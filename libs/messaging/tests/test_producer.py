"""Publishing on a real Kafka."""

from dataclasses import replace

import pytest
from aiokafka import AIOKafkaConsumer
from errors import Invalid, Transient
from messaging import Kafka, Producer
from store import OutboxRecord


async def records_of(kafka, stream, count):
    client = AIOKafkaConsumer(stream.name, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await client.start()
    try:
        return [await client.getone() for _ in range(count)]
    finally:
        await client.stop()


async def test_one_event_and_several_reach_kafka_alike(kafka, stream, producer, acknowledged):
    made = [acknowledged("key", n) for n in range(5)]
    await producer.publish(made[:1])
    await producer.publish(made[1:])
    found = await records_of(kafka, stream, 5)
    assert [record.value for record in found] == [one.payload for one in made]
    assert {record.key for record in found} == {b"key"}
    assert len({record.partition for record in found}) == 1
    for record, one in zip(found, made, strict=True):
        # FastStream, which publishes single events, adds a header of its own.
        assert {name: value for name, value in record.headers if name != "correlation_id"} == dict(one.headers)


async def test_records_of_unique_keys_go_together_and_calls_take_turns_over_the_partitions(
    kafka, stream, producer, acknowledged
):
    calls = [[acknowledged(f"key-{call}-{n}", n) for n in range(20)] for call in range(stream.partitions)]
    for made in calls:
        await producer.publish(made, together=True)
    found = await records_of(kafka, stream, 20 * len(calls))
    by_key = {record.key: record for record in found}
    for made in calls:
        assert len({by_key[one.key].partition for one in made}) == 1
    assert {record.partition for record in found} == set(range(stream.partitions))
    for one in (one for made in calls for one in made):
        record = by_key[one.key]
        assert (record.value, dict(record.headers)) == (one.payload, dict(one.headers))


async def test_what_goes_together_may_be_larger_than_a_batch(kafka, stream, producer, acknowledged):
    made = [replace(acknowledged(f"key-{n}", n), payload=bytes([n]) * 200_000) for n in range(8)]
    await producer.publish(made, together=True)
    found = await records_of(kafka, stream, len(made))
    assert {record.value for record in found} == {one.payload for one in made}


async def test_nothing_is_published_by_a_producer_that_is_not_started(kafka, acknowledged):
    with pytest.raises(Transient):
        await Producer(Kafka(kafka)).publish([acknowledged("key", 1)])


@pytest.mark.parametrize(("count", "together"), [(1, False), (2, False), (1, True)])
async def test_what_is_too_large_is_refused_for_good(stream, producer, acknowledged, count, together):
    made = acknowledged("key", 1)
    large = OutboxRecord(made.id, made.at, stream.name, b"key", b"x" * (3 << 20), made.headers)
    with pytest.raises(Invalid):
        await producer.publish([large] * count, together=together)


async def test_a_broker_that_is_away_is_said_to_be_and_a_later_start_works(kafka):
    with pytest.raises(Transient):
        await Producer(Kafka("127.0.0.1:1")).start()
