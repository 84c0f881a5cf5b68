"""A feed on a real Kafka: whole when it has started, then live, and not frozen by a broken record."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import messaging
import pytest
import telemetry
from directory_view import Change, DirectoryFeed
from messaging import Kafka, Producer
from rossio.directory.v1.directory_pb2 import PERSON_STATE_ACTIVE, Person
from rossio.directory.v1.events_pb2 import PersonChanged
from testkit import ministry
from testkit.polling import until


@pytest.fixture
async def producer(streams: str) -> AsyncIterator[Producer]:
    producer = Producer(Kafka(streams))
    await producer.start()
    yield producer
    await producer.stop()


async def publish(producer: Producer, *changes: Change) -> None:
    now = datetime.now(UTC)
    await producer.publish([messaging.fact(change, id=messaging.new_id(), at=now) for change in changes])


async def test_a_feed_is_whole_at_its_start_and_then_live(streams: str, producer: Producer) -> None:
    await publish(producer, *ministry.changes(ministry.Ministry(186)))
    feed = DirectoryFeed(Kafka(streams), "news")
    starting = asyncio.create_task(feed.start())
    await asyncio.sleep(0)
    assert telemetry.health.report()["directory_view"] is not None
    await starting
    try:
        assert telemetry.health.report()["directory_view"] is None
        assert feed.view.people_count == 186
        assert len(feed.view.members("g-direcoes")) == 186
        stranger = Person(person_id="x", number=1, version=1, state=PERSON_STATE_ACTIVE)
        joined = Person(person_id="p000187", number=187, version=1, state=PERSON_STATE_ACTIVE)
        await publish(producer, PersonChanged(person=stranger), PersonChanged(person=joined))
        await until(lambda: feed.view.person("p000187"))
        assert feed.view.person("x") is None
        assert feed.view.person("p000001") is not None
    finally:
        await feed.stop()
        telemetry.health.forget("directory_view")


def test_a_service_that_topics_yaml_does_not_name_gets_no_feed() -> None:
    with pytest.raises(ValueError, match="governance"):
        DirectoryFeed(Kafka("127.0.0.1:1"), "governance")
