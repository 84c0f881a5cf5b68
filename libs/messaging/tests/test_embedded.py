"""The wheel's broker, for development: the whole way of an event once, and no more."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from devstack.tansu import Tansu
from errors import Invalid
from messaging import (
    Consumer,
    DeadLetters,
    Delivery,
    Follower,
    Kafka,
    Producer,
    catalogue,
    ensure_topics,
    fact,
    new_id,
    published,
)
from rossio.directory.v1.directory_pb2 import Entity
from rossio.directory.v1.events_pb2 import EntityChanged
from rossio.news.v1.events_pb2 import PostAcknowledged, PostRetracted


@pytest.mark.slow
async def test_an_event_goes_all_the_way_on_the_wheels_broker(tmp_path, until):
    broker = Tansu(tmp_path)
    broker.start()
    try:
        kafka = Kafka(broker.bootstrap, idempotence=False)
        await ensure_topics(kafka, embedded=True)
        await ensure_topics(kafka, embedded=True)
        done: list[str] = []
        refused: list[Delivery] = []
        entities: list[str] = []

        async def count(deliveries):
            done.extend(delivery.subject for delivery in deliveries)

        async def refuse(deliveries):
            if not refused:
                refused.extend(deliveries)
                raise Invalid("not yet", reason="NOT_YET")
            done.append("redriven")

        async def apply(deliveries):
            entities.extend(delivery.subject for delivery in deliveries)

        producer = Producer(kafka)
        await producer.start()
        now = datetime.now(UTC)
        events = [PostAcknowledged(post_id=f"key-{n % 20}", entity_id="e01") for n in range(500)]
        await producer.publish([fact(event, id=new_id(), at=now) for event in events])
        await producer.publish([fact(PostRetracted(post_id="bad"), id=new_id(), at=now)])
        changes = [EntityChanged(entity=Entity(entity_id=f"e{n}")) for n in range(300)]
        await producer.publish([fact(change, id=new_id(), at=now) for change in changes])

        follower = Follower(kafka, ["directory.entity.v1", "directory.group.v1"], apply)
        await follower.start()
        await asyncio.wait_for(follower.caught_up(), 60)
        assert len(entities) == 300
        hour = timedelta(hours=1)
        past = published(kafka, ["directory.entity.v1"], now - hour, now + hour)
        assert len([delivery async for delivery in past]) == 300

        handlers = {PostAcknowledged: count, PostRetracted: refuse}
        consumer = Consumer(kafka, catalogue().stream("news.post.v1"), "notification", handlers)
        await consumer.start()
        await until(lambda: len(done) == 500, 90)
        letters = DeadLetters(kafka, "news.post.v1", "notification")

        async def one():
            return [letter.reason for letter in await letters.list()] == ["NOT_YET"]

        await until(one)
        assert await letters.redrive() == 1
        await until(lambda: done[-1] == "redriven")
        assert await letters.list() == []
        await consumer.stop()
        await follower.stop()
        await producer.stop()
    finally:
        broker.kill()
