"""`make test-alerts`: a dead broker, a stuck consumer and a full dead-letter topic are alerted end to end.

The suite, Kafka and Prometheus are real, and so are the rules, but for their times: waits, windows and limits in
seconds are thirty times shorter.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from cli.demo.document import document
from cli.demo.mail import hand_over
from cli.demo.stage import Stage, until
from cli.mail import compose
from devstack import kafka
from devstack.kafka import Kafka
from devstack.mongo import Mongo
from messaging import catalogue
from monitoring.__main__ import rules
from testkit import prometheus
from testkit.prometheus import Prometheus

from tests.e2e.running import Running, run_suite

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]

SPEED = 30


@dataclass(frozen=True, slots=True)
class Watched:
    running: Running
    broker: Kafka
    store: Mongo
    prometheus: Prometheus

    async def alerted(self, *names: str) -> None:
        async def fires() -> bool:
            return set(names) <= self.prometheus.firing()

        await until(f"{names} fire", fires)

    async def silent(self, *names: str) -> None:
        async def rests() -> bool:
            return not set(names) & self.prometheus.firing()

        await until(f"{names} are silent", rests)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    if lack := kafka.missing() or prometheus.missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(lack)
    broker, store = Kafka(tmp_path_factory.mktemp("kafka")), Mongo(tmp_path_factory.mktemp("mongo"))
    await asyncio.gather(asyncio.to_thread(broker.start), asyncio.to_thread(store.start))
    try:
        async with _suite(tmp_path_factory.mktemp("suite"), broker, store) as running:
            hurried = {"alerts": {"groups": [_hurried(group) for group in rules()["alerts"]["groups"]]}}
            server = Prometheus(tmp_path_factory.mktemp("prometheus"), running.stage.stack.admin, hurried)
            await asyncio.to_thread(server.start)
            try:
                yield Watched(running, broker, store, server)
            finally:
                server.kill()
    finally:
        broker.kill()
        store.kill()


@asynccontextmanager
async def _suite(folder: Path, broker: Kafka, store: Mongo) -> AsyncIterator[Running]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MONGODB_URI", store.uri)
        async with run_suite(folder, broker.bootstrap) as running:
            yield running


def _hurried(group: dict[str, Any]) -> dict[str, Any]:
    return {
        **group,
        "rules": [{**rule, "for": _short(rule["for"]), "expr": _sooner(rule["expr"])} for rule in group["rules"]],
    }


def _short(text: str) -> str:
    return re.sub(r"\b(\d+)m\b", lambda minutes: f"{int(minutes[1]) * 60 // SPEED}s", text)


def _sooner(expression: str) -> str:
    """Windows, and the limit of an age in seconds."""
    limited = re.sub(r"(?<=> )(\d+)$", lambda limit: f"{int(limit[1]) / SPEED:g}", expression)
    return _short(limited if "_seconds" in expression else expression)


async def test_a_dead_broker_is_alerted_and_its_return_is_seen(watched: Watched) -> None:
    await watched.silent("OutboxWaits")
    watched.broker.kill()
    await watched.running.play(document)  # works without a broker: its facts wait in the outbox
    await watched.alerted("OutboxWaits")
    await asyncio.to_thread(watched.broker.start)
    await watched.silent("OutboxWaits", "ConsumerStuck")


async def test_a_stuck_consumer_is_alerted_and_its_end_is_seen(watched: Watched) -> None:
    await watched.silent("ConsumerStuck")
    watched.store.pause()  # it holds its connections and answers nothing
    try:
        await asyncio.to_thread(_mail, watched.running.stage)  # which Kafka alone takes in
        await watched.alerted("ConsumerStuck")
    finally:
        watched.store.resume()
    await watched.silent("ConsumerStuck")


def _mail(stage: Stage) -> None:
    sender, recipient = (stage.cast.person(entity, "news.editor").addresses[0] for entity in ("e01", "e03"))
    hand_over(stage.stack.smtp, sender, recipient, compose(sender, [recipient], "Escalas", "Seguem as escalas.\n"))


async def test_a_full_dead_letter_topic_is_alerted_and_then_the_letter_is(watched: Watched) -> None:
    stream = catalogue().stream("news.post.v1")
    letters = stream.dead_letters("notification")
    await _limit(watched.broker, letters, 1)
    async with AIOKafkaProducer(bootstrap_servers=watched.broker.bootstrap) as producer:
        headers = [("ce_type", b"rossio.news.v1.PostPublished")]
        await producer.send_and_wait(stream.name, b"\xff", key=b"poison", headers=headers)
    await watched.alerted("DeadLettersRefused")
    assert "DeadLetters" not in watched.prometheus.firing()
    await _limit(watched.broker, letters, stream.max_letter_bytes)
    await watched.alerted("DeadLetters")
    await watched.silent("DeadLettersRefused")


async def _limit(broker: Kafka, topic: str, size: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    try:
        configs = {"max.message.bytes": str(size)}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=configs)])
    finally:
        await admin.close()
