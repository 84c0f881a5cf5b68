"""Reading what was published in a time gone by, on a real Kafka."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from errors import Transient
from messaging import Kafka, fact, new_id, published
from rossio.directory.v1.directory_pb2 import Entity, Person
from rossio.directory.v1.events_pb2 import EntityChanged, PersonChanged

STREAMS = ["directory.entity.v1", "directory.person.v1"]


@pytest.fixture(scope="module")
def kafka(streams):
    """Here everybody writes to the module's own streams."""
    return streams


def person(name, version=0):
    changed = PersonChanged(person=Person(person_id=name, entity_id="e01", version=version))
    return fact(changed, id=new_id(), at=datetime.now(UTC))


async def moment():
    """A time that is after all that was published, and before all that will be."""
    now = datetime.now(UTC) + timedelta(milliseconds=5)
    while datetime.now(UTC) < now + timedelta(milliseconds=5):
        await asyncio.sleep(0.001)
    return now


async def seen(streams, since, until):
    return [d.subject async for d in published(Kafka(streams), STREAMS, since, until)]


async def test_it_gives_what_came_from_a_time_on_and_before_another(streams, producer):
    await producer.publish([person("before")])
    since = await moment()
    await producer.publish([person(f"within-{n}") for n in range(500)])
    await producer.publish([fact(EntityChanged(entity=Entity(entity_id="e")), id=new_id(), at=datetime.now(UTC))])
    until = await moment()
    await producer.publish([person("after")])
    assert sorted(await seen(streams, since, until)) == sorted(["e", *(f"within-{n}" for n in range(500))])
    assert sorted(await seen(streams, until, datetime.now(UTC) + timedelta(days=1))) == ["after"]
    assert "before" in await seen(streams, since - timedelta(days=1), since)
    assert await seen(streams, until, until) == []
    assert await seen(streams, datetime.now(UTC) + timedelta(days=1), datetime.now(UTC) + timedelta(days=2)) == []


async def test_events_of_a_key_come_in_their_order(streams, producer):
    since = await moment()
    for version in range(1, 21):
        await producer.publish([person("one", version)])
    until = await moment()
    found = [d.message async for d in published(Kafka(streams), STREAMS, since, until)]
    assert [m.person.version for m in found if isinstance(m, PersonChanged)] == list(range(1, 21))


async def test_a_record_that_cannot_be_read_is_passed_over(streams, producer, raw):
    since = await moment()
    await raw.send_and_wait("directory.person.v1", b"", key=b"bad", headers=[("ce_type", b"\xff")])
    await producer.publish([person("good")])
    assert await seen(streams, since, await moment()) == ["good"]


async def test_a_broker_that_is_away_is_said_to_be():
    with pytest.raises(Transient):
        await seen("127.0.0.1:1", datetime.now(UTC), datetime.now(UTC))
