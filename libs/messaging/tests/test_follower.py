"""Followers on a real Kafka."""

import asyncio
from datetime import UTC, datetime

import pytest
from errors import Transient
from messaging import Follower, Kafka, fact, new_id
from rossio.directory.v1.directory_pb2 import Entity, Person
from rossio.directory.v1.events_pb2 import EntityChanged, PersonChanged

STREAMS = ["directory.entity.v1", "directory.person.v1"]


@pytest.fixture(scope="module")
def kafka(streams):
    """Here everybody writes to the module's own streams."""
    return streams


@pytest.fixture
async def follow(streams):
    started = []

    async def start(apply):
        follower = Follower(Kafka(streams), STREAMS, apply)
        await follower.start()
        started.append(follower)
        await asyncio.wait_for(follower.caught_up(), 60)
        return follower

    yield start
    for follower in started:
        await follower.stop()


def person(name):
    return fact(PersonChanged(person=Person(person_id=name, entity_id="e01")), id=new_id(), at=datetime.now(UTC))


async def test_it_has_all_that_was_there_when_it_has_caught_up_and_then_what_comes(producer, follow, until):
    mark = new_id()
    await producer.publish([person(f"{mark}-{n}") for n in range(3000)])
    await producer.publish([fact(EntityChanged(entity=Entity(entity_id=mark)), id=new_id(), at=datetime.now(UTC))])
    seen: set[str] = set()

    async def apply(deliveries):
        seen.update(delivery.subject for delivery in deliveries if delivery.subject.startswith(mark))

    await follow(apply)
    assert len(seen) == 3001
    await producer.publish([person(f"{mark}-later")])
    await until(lambda: f"{mark}-later" in seen)


async def test_a_record_that_cannot_be_read_or_applied_is_skipped_and_no_other(streams, producer, raw, follow, until):
    mark = new_id()
    good = person(f"{mark}-good")
    await raw.send_and_wait("directory.person.v1", b"\xff", key=b"bad", headers=list(good.headers))
    await raw.send_and_wait("directory.person.v1", b"", key=b"bad", headers=[("ce_type", b"\xff")])
    await raw.send_and_wait("directory.person.v1", None, key=b"tombstone")
    await producer.publish([person(f"{mark}-broken"), good, person(f"{mark}-next")])
    seen: list[str] = []

    async def apply(deliveries):
        names = [delivery.subject for delivery in deliveries]
        if f"{mark}-broken" in names:
            raise ValueError
        seen.extend(name for name in names if name.startswith(mark))

    await follow(apply)
    assert sorted(seen) == [f"{mark}-good", f"{mark}-next"]


async def test_from_now_it_applies_only_what_comes(streams, producer, until):
    mark = new_id()
    await producer.publish([person(f"{mark}-before")])
    seen: list[str] = []

    async def apply(deliveries):
        seen.extend(delivery.subject for delivery in deliveries if delivery.subject.startswith(mark))

    follower = Follower(Kafka(streams), STREAMS, apply, from_now=True)
    await follower.start()
    await producer.publish([person(f"{mark}-after")])
    await until(lambda: seen)
    await follower.stop()
    assert seen == [f"{mark}-after"]


async def test_empty_streams_are_caught_up_at_once_and_a_missing_broker_is_said(streams):
    async def apply(deliveries):
        pass

    follower = Follower(Kafka(streams), ["directory.group.v1", "directory.unit.v1"], apply)
    await follower.start()
    await asyncio.wait_for(follower.caught_up(), 30)
    await follower.stop()
    with pytest.raises(Transient):
        await Follower(Kafka("127.0.0.1:1"), STREAMS, apply).start()
