"""What an event costs that is consumed, handled and settled with telemetry on, against the bare client."""

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import telemetry
import uvloop
from aiokafka import AIOKafkaConsumer
from devstack.kafka import Kafka as KafkaServer
from messaging import Consumer, Delivery, Kafka, Producer, Stream, catalogue, ensure_topics, fact, new_id
from rossio.news.v1.events_pb2 import PostAcknowledged
from service.process import collect_seldom

EVENTS = 40_000
_PARTITIONS = 6
_ROUNDS = 4


def measure() -> list[dict[str, Any]]:
    """CPU of this process per event, on KAFKA_BOOTSTRAP if that is set."""
    if bootstrap := os.environ.get("KAFKA_BOOTSTRAP"):
        return _run(_measure(bootstrap, EVENTS))
    with tempfile.TemporaryDirectory() as folder:
        server = KafkaServer(Path(folder))
        server.start()
        try:
            return _run(_measure(server.bootstrap, EVENTS))
        finally:
            server.kill()


def _run(measuring: Coroutine[Any, Any, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as services run
        return runner.run(measuring)


async def _measure(bootstrap: str, events: int) -> list[dict[str, Any]]:
    """`ours` with one event a call and in batches of 100, `peer` getmany and commit."""
    kafka = Kafka(bootstrap, client_id="bench")
    stream = replace(catalogue().stream("news.post.v1"), name=f"bench.{new_id()}", partitions=_PARTITIONS)
    await _fill(kafka, stream, events)
    running = telemetry.start("bench", version="0", sample_ratio=0.01, log_level="warning")
    collect_seldom()  # as a service does, for both sides
    costs: dict[int, list[float]] = {0: [], 1: [], 100: []}
    try:
        for _ in range(_ROUNDS):  # in turns, so that all see the same machine
            for batch, cost in costs.items():
                cost.append(await (_settled(kafka, stream, events, batch) if batch else _raw(kafka, stream, events)))
    finally:
        running.shutdown()
    peer, single, batched = (min(cost) for cost in costs.values())
    return [_row("consume", single, peer, events), _row("consume in batches of 100", batched, peer, events)]


def _row(metric: str, ours: float, peer: float, events: int) -> dict[str, Any]:
    figures = {"ours": round(ours, 2), "peer": round(peer, 2), "ratio": round(ours / peer, 2)}
    note = f"least of {_ROUNDS} rounds of {events} events; peer: aiokafka getmany + commit"
    return {"metric": metric, **figures, "unit": "us CPU an event", "aim": "at most 15 us and 4x", "note": note}


async def _fill(kafka: Kafka, stream: Stream, events: int) -> None:
    await ensure_topics(kafka, streams=[stream])
    producer = Producer(kafka)
    await producer.start()
    now = datetime.now(UTC)
    for start in range(0, events, 1000):
        with telemetry.span("bench"):
            facts = [
                fact(
                    PostAcknowledged(post_id=f"post-{number % 5000}", entity_id="e01", person_id=f"p{number}"),
                    id=new_id(),
                    at=now,
                )
                for number in range(start, min(events, start + 1000))
            ]
        await producer.publish([replace(record, topic=stream.name) for record in facts])
    await producer.stop()


async def _raw(kafka: Kafka, stream: Stream, events: int) -> float:
    consumer = AIOKafkaConsumer(
        stream.name,
        **kafka.connection(),
        group_id=new_id(),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    seen = sum(len(records) for records in (await consumer.getmany(timeout_ms=10_000, max_records=1)).values())
    started = time.process_time()
    while seen < events:
        seen += sum(len(records) for records in (await consumer.getmany(timeout_ms=500, max_records=500)).values())
        await consumer.commit()
    cost = time.process_time() - started
    await consumer.stop()
    return cost / events * 1e6


async def _settled(kafka: Kafka, stream: Stream, events: int, batch: int) -> float:
    done = asyncio.Event()
    seen = 0
    started = 0.0

    async def handle(deliveries: Sequence[Delivery]) -> None:
        nonlocal seen, started
        started = started or time.process_time()
        seen += len(deliveries)
        if seen >= events:
            done.set()

    handler: Callable[[Sequence[Delivery]], Awaitable[None]] = handle
    service = f"bench-{new_id()}"
    stream = replace(stream, consumers=(service,))
    consumer = Consumer(kafka, stream, service, {PostAcknowledged: handler}, batch=batch)
    await consumer.start()
    await asyncio.wait_for(done.wait(), 120)
    cost = time.process_time() - started
    await consumer.stop()
    return cost / events * 1e6


if __name__ == "__main__":
    for row in measure():
        print(row)
