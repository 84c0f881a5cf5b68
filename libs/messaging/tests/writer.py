"""A service of the relay test: counts up in documents with a fact each, relays them, and ends when all is relayed."""

import asyncio
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import store
from errors import Conflict
from messaging import Kafka, Producer, Relay, fact
from rossio.news.v1.events_pb2 import PostAcknowledged


async def main(bootstrap: str, uri: str, name: str, topic: str, keys: str, last: str) -> None:
    database = store.connect(uri, name)
    things = database.collection("things")
    producer = Producer(Kafka(bootstrap))
    await producer.start()
    relay = Relay(database, [things], producer, lease="test", poll=0.05)
    await relay.start()

    def counted(key, number):
        made = fact(PostAcknowledged(post_id=key, entity_id="e01"), id=str(number), at=datetime.now(UTC))
        return replace(made, topic=topic)

    async def count(key):
        with suppress(Conflict):
            await things.insert({"_id": key, "version": 0, "last": 1}, [counted(key, 1)])
        while (number := (await things.get(key) or {})["last"]) < int(last):
            await things.update(key, {"$set": {"last": number + 1}}, facts=[counted(key, number + 1)])

    await asyncio.gather(*(count(f"key-{n}") for n in range(int(keys))))
    while await things.pending(1):
        await asyncio.sleep(0.05)
    await relay.stop()
    await producer.stop()
    await database.close()


asyncio.run(main(*sys.argv[1:]))
