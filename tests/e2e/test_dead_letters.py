"""`rossio dlq` on the running suite, as an operator types it."""

import asyncio
import functools
import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from cli.demo.stage import until

from tests.e2e.running import Running

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="session")]

STREAM, SERVICE = "news.post.v1", "notification"


def way(running: Running, over: str) -> dict[str, str]:
    """What the command is told of where the letters are."""
    if over == "Kafka":
        return {"KAFKA_BOOTSTRAP": running.stage.stack.kafka}
    operator = running.stage.cast.person("e05")
    token = running.suite.issuer.token(operator.person_id, entity="e05", roles=["governance.operator"])
    return {"ROSSIO_ENDPOINTS": f"governance={running.stage.stack.endpoints['governance']}", "ROSSIO_TOKEN": token}


async def run(told: dict[str, str], *arguments: str, fails: bool = False) -> str:
    """What the command prints, or says when it fails."""
    command = [str(Path(sys.executable).with_name("rossio")), "dlq", *arguments]
    environment = {**os.environ, **told}
    done = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert (done.returncode != 0) is fails, done.stderr
    return done.stderr if fails else done.stdout


@pytest.mark.parametrize("over", ["Kafka", "gRPC"])
async def test_an_operator_lists_shows_redrives_and_drops(running: Running, over: str) -> None:
    dlq = functools.partial(run, way(running, over))
    poison = f"poison-{uuid4().hex}"
    async with AIOKafkaProducer(bootstrap_servers=running.stage.stack.kafka) as producer:
        headers = [("ce_type", b"rossio.news.v1.PostPublished"), ("ce_subject", poison.encode())]
        await producer.send_and_wait(STREAM, b"\xff", key=poison.encode(), headers=headers)

    async def listed(*besides: str) -> list[str] | None:
        """Numbers of the letters of the poison that are open."""
        rows = [line.split("\t") for line in (await dlq("list")).splitlines()]
        numbers = [number for stream, service, number, *_ in rows if (stream, service) == (STREAM, SERVICE)]
        shown = {number: await dlq("show", STREAM, SERVICE, number) for number in numbers}
        return [number for number, text in shown.items() if poison in text and number not in besides] or None

    (first,) = await until("the letter is there", listed)
    assert "PAYLOAD_UNREADABLE" in await dlq("show", STREAM, SERVICE, first)
    assert "1 redriven" in await dlq("redrive", STREAM, SERVICE, first)
    (second,) = await until("it failed again, and is a new letter", lambda: listed(first))
    assert "1 dropped" in await dlq("drop", STREAM, SERVICE, second)
    assert await listed() is None
    assert "no such dead letter" in await dlq("redrive", STREAM, SERVICE, second, fails=True)
