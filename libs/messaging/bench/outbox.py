"""What recording an event with a write costs, and how long it takes from the write to the handler."""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import store
from devstack.kafka import Kafka as KafkaServer
from devstack.mongo import Mongo
from messaging import Consumer, Delivery, Kafka, Producer, Relay, catalogue, ensure_topics, fact, new_id
from rossio.news.v1.events_pb2 import PostAcknowledged

_WRITES = 400
_EVENTS = 200


def measure() -> list[dict[str, Any]]:
    """Wall time in milliseconds, on KAFKA_BOOTSTRAP and MONGODB_URI if they are set."""
    with tempfile.TemporaryDirectory() as folder:
        kafka = os.environ.get("KAFKA_BOOTSTRAP")
        mongo = os.environ.get("MONGODB_URI")
        servers: list[KafkaServer | Mongo] = []
        if kafka is None:
            server = KafkaServer(Path(folder) / "kafka")
            servers.append(server)
            kafka = server.bootstrap
        if mongo is None:
            database = Mongo(Path(folder) / "mongo")
            servers.append(database)
            mongo = database.uri
        try:
            for each in servers:
                each.start()
            return asyncio.run(_measure(kafka, mongo))
        finally:
            for each in servers:
                each.kill()


async def _measure(bootstrap: str, uri: str) -> list[dict[str, Any]]:
    database = store.connect(uri, f"bench_{new_id().replace('-', '')}")
    try:
        with_event, without = await _writes(database)
        latency, write = await _latency(Kafka(bootstrap), database)
    finally:
        await database.drop()
        await database.close()
    return [
        _row("outbox: write with one event", with_event, without, "at most 1.2x", "median; peer: the write without it"),
        _row(
            "outbox: written to consumed",
            latency,
            write,
            "p50 at most 10 ms",
            "median; peer: the write itself takes so long",
        ),
    ]


def _row(metric: str, ours: float, peer: float, aim: str, note: str) -> dict[str, Any]:
    figures = {"ours": round(ours, 2), "peer": round(peer, 2), "ratio": round(ours / peer, 2)}
    return {"metric": metric, **figures, "unit": "ms", "aim": aim, "note": note}


async def _writes(database: store.Database) -> tuple[float, float]:
    """Medians of updates with and without an event, which take turns so that both see the same machine."""
    posts = database.collection("posts")
    await database.ensure(posts)
    for number in range(2 * _WRITES):
        await posts.insert({"_id": str(number), "version": 0, "text": "x" * 500})
    taken: tuple[list[float], list[float]] = ([], [])
    for number in range(2 * _WRITES):
        begun = time.perf_counter()
        facts = [_fact(str(number), "news.post.v1")] if number % 2 == 0 else []
        await posts.update(str(number), {"$set": {"read": number}}, version=0, facts=facts)
        taken[number % 2].append(time.perf_counter() - begun)
    with_event, without = (statistics.median(each) * 1000 for each in taken)
    return with_event, without


async def _latency(kafka: Kafka, database: store.Database) -> tuple[float, float]:
    """Medians from the end of a write to the handler of its event, and of the write itself."""
    stream = replace(catalogue().stream("news.post.v1"), name=f"bench.{new_id()}", consumers=("bench",))
    await ensure_topics(kafka, streams=[stream])
    handled: asyncio.Queue[float] = asyncio.Queue()

    async def handle(deliveries: Sequence[Delivery]) -> None:
        for _ in deliveries:
            handled.put_nowait(time.perf_counter())

    things = database.collection("things")
    await database.ensure(things)
    producer = Producer(kafka)
    relay = Relay(database, [things], producer, lease="bench")
    consumer = Consumer(kafka, stream, "bench", {PostAcknowledged: handle})
    writes, waits = [], []
    async with AsyncExitStack() as running:
        for part in (producer, relay, consumer):
            await running.enter_async_context(_started(part))
        for number in range(_EVENTS):
            begun = time.perf_counter()
            await things.insert({"_id": str(number), "version": 0}, [_fact(str(number), stream.name)])
            written = time.perf_counter()
            writes.append(written - begun)
            waits.append(await asyncio.wait_for(handled.get(), 60) - written)
    return statistics.median(waits) * 1000, statistics.median(writes) * 1000


@asynccontextmanager
async def _started(part: Producer | Relay | Consumer) -> AsyncIterator[None]:
    await part.start()
    try:
        yield
    finally:
        await part.stop()


def _fact(post: str, topic: str) -> store.OutboxRecord:
    event = PostAcknowledged(post_id=post, entity_id="e01", person_id="p1")
    return replace(fact(event, id=new_id(), at=datetime.now(UTC)), topic=topic)


if __name__ == "__main__":
    for row in measure():
        print(row)
