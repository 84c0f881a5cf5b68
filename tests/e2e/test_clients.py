"""The client examples of docs/examples, run as their readers would run them: each sends a mail that arrives."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import rpc
from cli.client import token_for
from cli.demo.stage import until
from errors import NotFound
from rossio.mail.v1 import service_pb2
from testkit.ministry import Person

from tests.e2e.running import Running

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="session")]

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
BUILT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rossio" / "clients"
COMMANDS = {
    "Python": ([sys.executable, str(EXAMPLES / "python" / "send.py")], EXAMPLES / "python"),
    "Go": ([str(BUILT / "go-send")], BUILT / "go-send"),
    "Node": (["node", str(EXAMPLES / "node" / "send.js")], EXAMPLES / "node" / "node_modules" / ".package-lock.json"),
}


@pytest.mark.parametrize("language", COMMANDS)
async def test_an_example_sends_a_mail_that_arrives(running: Running, language: str) -> None:
    command, needed = COMMANDS[language]
    if not needed.exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{needed.name} is missing: `make tools` says why")
    sender, recipient = running.stage.cast.person("e04"), running.stage.cast.person("e05")
    told = await asyncio.to_thread(
        _run, command, await token_for(sender.person_id, running.stage.stack), running, sender, recipient
    )

    async def arrived() -> bool:
        boxes = Path(running.stage.stack.maildirs).glob(f"**/{recipient.person_id}/new/*")
        return any(f"Subject: From {language}".encode() in path.read_bytes() for path in boxes)

    await until(f"the mail from {language} is in the mailbox", arrived)
    client = await running.stage.client(sender)

    async def traced() -> list[str] | None:
        with contextlib.suppress(NotFound), rpc.typed_errors():
            return [found.message_id async for found in client.mail.Trace(service_pb2.TraceRequest(message_id=told))]
        return None  # in the mailbox, and not recorded yet

    assert await until(f"the mail from {language} has a trace", traced) == [told]


def _run(command: Sequence[str], token: str, running: Running, sender: Person, recipient: Person) -> str:
    settings = {
        "ROSSIO_MAIL": running.stage.stack.endpoints["mail-routing"],
        "ROSSIO_TOKEN": token,
        "FROM": sender.addresses[0],
        "TO": recipient.addresses[0],
    }
    done = subprocess.run(
        command, env={**os.environ, **settings}, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
