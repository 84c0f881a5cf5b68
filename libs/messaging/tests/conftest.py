"""Streams of their own for tests, and consumers that are stopped in the end."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from messaging import Consumer, DeadLetters, Delivery, Kafka, Producer, Stream, catalogue, ensure_topics, fact, new_id
from rossio.news.v1.events_pb2 import PostAcknowledged
from store import OutboxRecord

SERVICE = "probe"


async def committed(kafka: str, stream: Stream, service: str = SERVICE) -> int:
    """How many records of the stream the group has settled."""
    client = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=stream.group(service), enable_auto_commit=False)
    await client.start()
    try:
        return sum([await client.committed(TopicPartition(stream.name, p)) or 0 for p in range(stream.partitions)])
    finally:
        await client.stop()


@pytest.fixture
async def stream(kafka: str) -> Stream:
    """A stream that no other test has, with four partitions."""
    made = replace(
        catalogue().stream("news.post.v1"), name=f"test.{new_id()}", partitions=4, consumers=(SERVICE, "other")
    )
    await ensure_topics(kafka, streams=[made])
    return made


class Fact(Protocol):
    def __call__(self, key: str, number: int) -> OutboxRecord: ...


@pytest.fixture
def acknowledged(stream: Stream) -> Fact:
    """A fact on the stream: the number is the version that was acknowledged."""

    def make(key: str, number: int) -> OutboxRecord:
        message = PostAcknowledged(post_id=key, entity_id="e01", text_version=number)
        return replace(fact(message, id=new_id(), at=datetime.now(UTC)), topic=stream.name)

    return make


@pytest.fixture
async def producer(kafka: str) -> AsyncIterator[Producer]:
    made = Producer(Kafka(kafka))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def raw(kafka: str) -> AsyncIterator[AIOKafkaProducer]:
    """A producer that knows nothing of events."""
    made = AIOKafkaProducer(bootstrap_servers=kafka, max_request_size=8 << 20)
    await made.start()
    yield made
    await made.stop()


class Consume(Protocol):
    async def __call__(self, handler: Callable[[Sequence[Delivery]], Awaitable[None]], **options: Any) -> Consumer: ...


@pytest.fixture
async def consume(kafka: str, stream: Stream) -> AsyncIterator[Consume]:
    """Starts consumers of the stream; those that a test has not stopped are stopped in the end."""
    started: list[Consumer] = []

    async def start(handler: Callable[[Sequence[Delivery]], Awaitable[None]], **options: Any) -> Consumer:
        made = Consumer(Kafka(kafka), stream, options.pop("service", SERVICE), {PostAcknowledged: handler}, **options)
        await made.start()
        started.append(made)
        return made

    yield start
    for made in started:
        await made.stop()


@pytest.fixture
def letters(kafka: str, stream: Stream) -> DeadLetters:
    return DeadLetters(kafka, stream, SERVICE)


@pytest.fixture
def number_of() -> Callable[[Delivery], int]:
    """What `acknowledged` was given as number."""

    def read(delivery: Delivery) -> int:
        assert isinstance(delivery.message, PostAcknowledged)
        return delivery.message.text_version

    return read
