"""What a consumer leaves behind when it stops, loses its partitions or only waits."""

import asyncio
import time
from collections import Counter
from typing import Any

import pytest
from errors import Transient
from messaging import Consumer, Kafka, Patience
from rossio.news.v1.events_pb2 import PostAcknowledged

from .conftest import committed

HASTY = Patience(first_wait=0.01, longest_wait=0.1)


async def test_what_was_in_hand_at_the_stop_is_finished_and_not_done_again(
    kafka, stream, producer, acknowledged, consume, until
):
    begun, ended = [], []
    go = asyncio.Event()

    async def slow(deliveries):
        begun.append(deliveries[0].id)
        await go.wait()
        ended.append(deliveries[0].id)

    await producer.publish([acknowledged(f"key-{n}", n) for n in range(10)])
    first = await consume(slow)
    await until(lambda: len(begun) == 10)
    stopping = asyncio.create_task(first.stop())
    go.set()
    await stopping
    assert len(ended) == 10

    again: list[str] = []

    async def other(deliveries):
        again.extend(delivery.id for delivery in deliveries)

    await consume(other)
    marker = acknowledged("marker", 1)
    await producer.publish([marker])
    await until(lambda: again)
    assert again == [marker.id]


async def test_members_that_come_and_go_do_nothing_twice_when_nobody_is_killed(
    kafka, stream, producer, acknowledged, consume, until
):
    handled: Counter[str] = Counter()

    async def handle(deliveries):
        await asyncio.sleep(0.001)
        handled.update(delivery.id for delivery in deliveries)

    records = [acknowledged(f"key-{n % 40}", n) for n in range(3000)]
    await producer.publish(records)
    stays = await consume(handle)
    for _ in range(2):
        guest = await consume(handle)
        so_far = len(handled)
        await until(lambda so_far=so_far: len(handled) > so_far + 200 or len(handled) == 3000)
        await guest.stop()
    await until(lambda: len(handled) == 3000)
    await stays.stop()
    assert set(handled.values()) == {1}
    assert await committed(kafka, stream) == 3000


async def test_what_was_done_ahead_of_a_lane_that_waits_is_not_done_again_when_its_partition_comes_back(
    producer, acknowledged, consume, until
):
    down = True

    def handler(seen):
        async def handle(deliveries):
            (delivery,) = deliveries
            if down and delivery.subject.startswith("stuck"):
                raise Transient("down")
            seen[delivery.subject] += 1

        return handle

    # So many keys wait that every partition has one of them before the others, and cannot be committed.
    await producer.publish([acknowledged(f"stuck-{n}", n) for n in range(40)])
    await producer.publish([acknowledged(f"key-{n}", n) for n in range(200)])
    mine: Counter[str] = Counter()
    guests: Counter[str] = Counter()
    patience = Patience(first_wait=0.6)  # not so soon that a rebalance would wait for them
    await consume(handler(mine), patience=patience)
    await until(lambda: len(mine) == 200)
    guest = await consume(handler(guests), patience=patience)
    await until(lambda: len(guests) > 20)
    await guest.stop()
    down = False
    await until(lambda: len(mine) == 240)
    assert set(mine.values()) == {1}


@pytest.mark.slow
async def test_a_member_whose_every_lane_waits_is_not_taken_for_dead(
    kafka, stream, producer, acknowledged, until, number_of
):
    down = True
    seen: list[int] = []

    async def handle(deliveries):
        if down:
            raise Transient("down")
        seen.extend(map(number_of, deliveries))

    await producer.publish([acknowledged(f"key-{n % 8}", n) for n in range(1500)])
    consumer = Consumer(Kafka(kafka), stream, "probe", {PostAcknowledged: handle}, patience=HASTY)
    consumer._source._settings["max_poll_interval_ms"] = 1000  # looked at with each heartbeat, every 3 s
    await consumer.start()
    try:
        await until(
            lambda: len(consumer._partitions) == 4 and not any(map(consumer._has_room, consumer._partitions.values()))
        )
        client: Any = consumer._source._client
        coordinator = client._coordinator
        membership = coordinator.member_id, coordinator.generation
        begun = time.monotonic()
        await until(lambda: time.monotonic() > begun + 7)
        assert (coordinator.member_id, coordinator.generation) == membership
        down = False
        await until(lambda: len(seen) >= 1500)
        assert sorted(seen) == list(range(1500))
    finally:
        await consumer.stop()
