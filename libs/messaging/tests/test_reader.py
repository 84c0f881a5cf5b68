"""Records that the client itself cannot read."""

import os
import subprocess
import sys
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError
from messaging.reader import Reader

PRODUCE_A_HEADER_NAME_THAT_IS_NOT_UTF8 = """
import asyncio, sys
from aiokafka import AIOKafkaProducer

class Binary(str):
    def encode(self, *_):
        return bytes([0xFF, 0xFE])

async def main(bootstrap, topic):
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"?", key=b"bad", partition=0, headers=[(Binary("xx"), b"1")])
    finally:
        await producer.stop()

asyncio.run(main(*sys.argv[1:]))
"""


def produce_unreadable(kafka, stream):
    """Only the pure Python encoder of the client lets such a name through; librdkafka's users need no trick."""
    command = [sys.executable, "-c", PRODUCE_A_HEADER_NAME_THAT_IS_NOT_UTF8, kafka, stream.name]
    subprocess.run(command, env={**os.environ, "AIOKAFKA_NO_EXTENSIONS": "1"}, check=True)


async def test_what_the_client_drops_when_it_fails_is_read_again(kafka, stream, raw):
    """A failed getmany() loses what it took from partitions before; which come before differs from run to run."""
    for partition in range(4):
        for number in range(5):
            await raw.send_and_wait(stream.name, f"{partition}-{number}".encode(), partition=partition)
    produce_unreadable(kafka, stream)
    for _ in range(8):
        client = AIOKafkaConsumer(stream.name, bootstrap_servers=kafka, auto_offset_reset="earliest")
        await client.start()
        reader = Reader(client, grouped=False)
        seen = [record.value or b"" async for records in reader.to_the_end() for record in records]
        await client.stop()
        assert sorted(seen) == sorted([b"", *(f"{p}-{n}".encode() for p in range(4) for n in range(5))])


async def test_a_record_with_a_binary_header_name_neither_blocks_the_stream_nor_takes_others_with_it(
    kafka, stream, producer, acknowledged, consume, until, letters, number_of
):
    await producer.publish([acknowledged(f"key-{n}", n) for n in range(300)])
    produce_unreadable(kafka, stream)
    await producer.publish([acknowledged(f"key-{n}", n) for n in range(300, 600)])
    seen: list[int] = []

    async def handle(deliveries):
        seen.extend(map(number_of, deliveries))

    await consume(handle)
    await until(lambda: len(seen) == 600)

    async def dead():
        return [letter.reason for letter in await letters.list()] == ["RECORD_UNREADABLE"]

    await until(dead)
    assert sorted(seen) == list(range(600))
    (letter,) = await letters.list()
    assert letter.origin.startswith(f"{stream.name}:0:")
    assert not letter.whole
    assert await letters.redrive() == 0  # there is nothing to publish


async def test_a_client_that_is_dead_is_made_anew(producer, acknowledged, consume, until, monkeypatch):
    seen: list[str] = []

    async def handle(deliveries):
        seen.extend(delivery.subject for delivery in deliveries)

    monkeypatch.setattr("messaging.settle.consumer._POLLS_TO_REVIVE", 2)
    consumer = await consume(handle)
    await producer.publish([acknowledged("before", 1)])
    await until(lambda: seen == ["before"])

    def dead():
        raise KafkaError("the coordination died")

    client: Any = consumer._source._client
    monkeypatch.setattr(client._coordinator, "check_errors", dead)
    await until(lambda: consumer._source._client not in (client, None))
    await producer.publish([acknowledged("after", 1)])
    await until(lambda: seen == ["before", "after"])
