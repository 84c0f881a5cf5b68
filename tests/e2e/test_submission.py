"""What `make run` invites a newcomer to: hand a mail in with a program of others, over TLS, under a password."""

import asyncio
import shutil
from pathlib import Path

import pytest
from cli.demo.stage import until
from rossio.mail.v1 import access_pb2

from tests.e2e.running import Running

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="session")]


async def test_a_newcomer_hands_mail_in_with_swaks_over_tls(running: Running) -> None:
    if (swaks := shutil.which("swaks")) is None:
        pytest.skip("swaks is missing: apt-get install swaks")
    stack, sender, recipient = running.stage.stack, running.stage.cast.person("e04"), running.stage.cast.person("e05")
    client = await running.stage.client(sender)
    wanted = access_pb2.CreateAppPasswordRequest(request_id="swaks", name="laptop")
    password = (await client.mail.CreateAppPassword(wanted)).password
    who = ["--auth", "PLAIN", "--auth-user", sender.addresses[0], "--auth-password", password]
    to = ["--from", sender.addresses[0], "--to", recipient.addresses[0], "--header", "Subject: by swaks"]
    tls = ["--server", stack.submission, "--tls", "--tls-verify", "--tls-ca-path", stack.certificate]
    program = await asyncio.create_subprocess_exec(
        swaks, *tls, *who, *to, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await program.communicate()
    assert program.returncode == 0, said.decode()

    async def arrived() -> bytes | None:
        boxes = Path(stack.maildirs).glob(f"**/{recipient.person_id}/new/*")
        return next((letter for box in boxes if b"Subject: by swaks" in (letter := box.read_bytes())), None)

    assert b" with ESMTPSA id " in await until("the mail is in the mailbox", arrived)
