"""The outbox relay on a real store and a real Kafka."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
import store
from aiokafka import AIOKafkaConsumer
from errors import Transient
from messaging import Relay
from messaging.reader import Reader
from telemetry import capture, names

WRITER = Path(__file__).with_name("writer.py")


@pytest.fixture
async def things(database):
    collection = database.collection("things")
    await database.ensure(collection)
    return collection


@pytest.fixture
async def relay_of(database, producer):
    started = []

    async def start(*collections, by=producer, **options):
        relay = Relay(database, collections, by, lease="test", **options)
        await relay.start()
        started.append(relay)
        return relay

    yield start
    for relay in started:
        await relay.stop()


async def published(kafka, stream):
    """Key and number of every event on the stream, per partition in order."""
    client = AIOKafkaConsumer(stream.name, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await client.start()
    try:
        return [
            ((record.key or b"").decode(), int(dict(record.headers)["ce_id"]))
            async for records in Reader(client, grouped=False).to_the_end()
            for record in records
        ]
    finally:
        await client.stop()


def numbered(record, number):
    """With an id that says when it was written, in place of a random one."""
    headers = tuple((name, str(number).encode() if name == "ce_id" else value) for name, value in record.headers)
    return replace(record, id=f"{record.key.decode()}-{number}", headers=headers)


async def test_what_is_recorded_is_published_in_the_order_of_its_document_and_cleared(
    kafka, stream, things, relay_of, acknowledged, until
):
    async def life(key):
        await things.insert({"_id": key, "version": 0}, [numbered(acknowledged(key, 0), 0)])
        for version in range(1, 20, 2):
            facts = [numbered(acknowledged(key, version + n), version + n) for n in range(2)]
            await things.update(key, {"$set": {"changed": version}}, facts=facts)

    await relay_of(things)
    await asyncio.gather(*(life(f"key-{n}") for n in range(10)))

    async def cleared():
        return not await things.pending(1)

    await until(cleared)
    seen = defaultdict(list)
    for key, number in await published(kafka, stream):
        seen[key].append(number)
    assert seen == {f"key-{n}": list(range(21)) for n in range(10)}


async def test_a_write_wakes_the_relay_of_its_process_and_others_are_found_by_looking(
    kafka, stream, database, things, relay_of, acknowledged, until, mongo
):
    await relay_of(things, poll=3600)
    await things.insert({"_id": "a", "version": 0}, [acknowledged("a", 1)])

    async def cleared():
        return not await things.pending(1)

    await until(cleared)  # an hour before it would look by itself


async def test_what_another_process_wrote_is_found_by_looking(
    things, relay_of, acknowledged, until, mongo, database_name
):
    await relay_of(things, poll=0.1)
    elsewhere = store.connect(mongo, database_name)
    await elsewhere.collection("things").insert({"_id": "b", "version": 0}, [acknowledged("b", 1)])
    await elsewhere.close()

    async def cleared():
        return not await things.pending(1)

    await until(cleared)


async def test_a_write_has_no_other_collection_looked_at_and_keeps_none_from_its_turn(
    things, database, relay_of, acknowledged, until, mongo, database_name, monkeypatch
):
    others = database.collection("others")
    looks = []
    pending = others.pending

    async def looked(limit):
        looks.append(limit)
        return await pending(limit)

    monkeypatch.setattr(others, "pending", looked)

    async def cleared():
        return not await things.pending(1)

    await relay_of(things, others, poll=2)
    began = time.monotonic()
    for number in range(20):
        await things.insert({"_id": number, "version": 0}, [acknowledged(f"a{number}", 1)])
        await until(cleared)
    assert len(looks) <= 2 + (time.monotonic() - began) / 2
    elsewhere = store.connect(mongo, database_name)
    await elsewhere.collection("others").insert({"_id": "b", "version": 0}, [acknowledged("b", 1)])
    await elsewhere.close()

    async def cleared_beside_writes():
        await things.update(0, {"$set": {"mark": 1}}, facts=[acknowledged("a0", 2)])
        return not await pending(1)

    await until(cleared_beside_writes)


async def test_of_two_relays_one_works_and_the_other_takes_over(kafka, stream, things, relay_of, acknowledged, until):
    first = await relay_of(things, poll=0.05)
    await until(lambda: first.leads)
    second = await relay_of(things, poll=0.05)
    both = []
    stop = asyncio.Event()

    async def watch():
        while not stop.is_set():
            both.append(first.leads and second.leads)
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    for number in range(50):
        await things.insert({"_id": f"key-{number}", "version": 0}, [numbered(acknowledged(f"key-{number}", 1), 1)])
    await first.stop()
    for number in range(50, 100):
        await things.insert({"_id": f"key-{number}", "version": 0}, [numbered(acknowledged(f"key-{number}", 1), 1)])
    await until(lambda: second.leads)

    async def cleared():
        return not await things.pending(1)

    await until(cleared)
    stop.set()
    await watching
    assert not any(both)
    assert Counter(await published(kafka, stream)) == {(f"key-{number}", 1): 1 for number in range(100)}


class Broken:
    """A producer whose broker is away for the first publishes."""

    def __init__(self, producer, failures):
        self._producer = producer
        self.failures = failures

    async def publish(self, records):
        if self.failures:
            self.failures -= 1
            raise Transient("away")
        await self._producer.publish(records)


async def test_a_broker_that_is_away_delays_and_loses_nothing(
    kafka, stream, things, relay_of, producer, acknowledged, until
):
    await relay_of(things, by=Broken(producer, 2), poll=0.05)
    for number in range(5):
        await things.insert({"_id": f"key-{number}", "version": 0}, [numbered(acknowledged(f"key-{number}", 1), 1)])

    async def cleared():
        return not await things.pending(1)

    await until(cleared)
    assert Counter(await published(kafka, stream)) == {(f"key-{number}", 1): 1 for number in range(5)}


async def test_how_long_the_oldest_fact_waits_is_told(things, database, relay_of, producer, acknowledged, until):
    broker = Broken(producer, 1 << 30)
    await relay_of(things, by=broker, poll=0.05)
    collection = things.name
    await things.insert({"_id": "key", "version": 0}, [acknowledged("key", 1)])
    await until(lambda: capture.value(names.OUTBOX_OLDEST, collection=collection) > 0.5)
    broker.failures = 0
    await until(lambda: capture.value(names.OUTBOX_OLDEST, collection=collection) == 0)
    assert await things.pending(1) == []


async def test_a_fact_that_kafka_refuses_holds_up_no_other_document(
    kafka, stream, things, relay_of, acknowledged, until
):
    large = replace(acknowledged("large", 1), payload=b"x" * (3 << 20))
    await things.insert({"_id": "large", "version": 0}, [large])
    for number in range(5):
        await things.insert({"_id": f"key-{number}", "version": 0}, [numbered(acknowledged(f"key-{number}", 1), 1)])
    await relay_of(things, poll=0.05)

    async def others_are_cleared():
        return [document for document, _ in await things.pending(10)] == ["large"]

    await until(others_are_cleared)
    assert Counter(await published(kafka, stream))[("key-4", 1)] >= 1


@pytest.mark.slow
@pytest.mark.parametrize("point", ["messaging.relay.published", ""])
async def test_nothing_recorded_is_lost_when_its_process_is_killed(
    kafka, stream, things, mongo, database_name, until, point
):
    """Killed three times, between publishing and clearing or anywhere; the last process is left to finish."""
    keys, last = 5, 40

    def run(**environment):
        arguments = [sys.executable, str(WRITER), kafka, mongo, database_name, stream.name, str(keys), str(last)]
        return subprocess.Popen(arguments, env={**os.environ, **environment})

    async def written():
        return sum([document["last"] async for document in things.find({"_id": {"$gt": ""}})])

    processes = []
    try:
        for goal in (20, 60, 100):
            process = run(ROSSIO_KILL_AT=point)
            processes.append(process)
            if point:
                await until(lambda process=process: process.poll() is not None, 60)
            else:

                async def enough(goal=goal):
                    return await written() >= goal

                await until(enough, 60)
                process.kill()
            assert process.wait() == -signal.SIGKILL
        processes.append(run())
        await until(lambda: processes[-1].poll() is not None, 90)
        assert processes[-1].returncode == 0
    finally:
        for process in processes:
            process.kill()
            process.wait()

    seen: defaultdict[str, list[int]] = defaultdict(list)
    for key, number in await published(kafka, stream):
        if number not in seen[key]:
            seen[key].append(number)
    assert seen == {f"key-{n}": list(range(1, last + 1)) for n in range(keys)}
    assert await things.pending(1) == []
