"""A service of the torture test: notes each effect in a file, fails at random, and ends on SIGTERM."""

import asyncio
import os
import random
import signal
import sys
from dataclasses import replace

from errors import Invalid, Transient
from messaging import Consumer, Kafka, Patience, catalogue
from rossio.news.v1.events_pb2 import PostAcknowledged


async def main(bootstrap: str, name: str, journal: str, batch: str) -> None:
    stream = replace(catalogue().stream("news.post.v1"), name=name, partitions=4, consumers=("probe",))
    effects = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    chance = random.Random()

    async def handle(deliveries):
        for delivery in deliveries:
            if delivery.message.text_version % 50 == 0:
                raise Invalid("poison", reason="POISON")
            if chance.random() < 0.02:
                raise chance.choice([Transient("away"), RuntimeError("now and then")])
        await asyncio.sleep(chance.random() * 0.05)
        lines = "".join(f"{delivery.subject} {delivery.message.text_version}\n" for delivery in deliveries)
        os.write(effects, lines.encode())

    patience = Patience(attempts=5, first_wait=0.01, longest_wait=0.2)
    consumer = Consumer(
        Kafka(bootstrap), stream, "probe", {PostAcknowledged: handle}, batch=int(batch), patience=patience
    )
    await consumer.start()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    await consumer.stop()


asyncio.run(main(*sys.argv[1:]))
