"""`rossio mail rules`, `mail quarantine` and `mail password` as an administrator and a person type them."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from cli.demo.mail import hand_over
from cli.demo.stage import until

from tests.e2e.running import Running

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="session")]

RULE = {
    "name": "e2e",
    "conditions": [{"field": "subject", "values": ["kept back by e2e"]}],
    "actions": [{"verb": "quarantine", "value": "looked at first"}],
}


async def rossio(running: Running, token: str, *arguments: str) -> str:
    """What the command prints, when it succeeds."""
    endpoints = ",".join(f"{name}={address}" for name, address in running.stage.stack.endpoints.items())
    program = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("rossio"),
        *arguments,
        env=os.environ | {"ROSSIO_ENDPOINTS": endpoints, "ROSSIO_TOKEN": token, "COLUMNS": "400"},
        cwd=running.suite.folder.parent,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, wrong = await program.communicate()
    assert program.returncode == 0, said.decode() + wrong.decode()
    return said.decode()


async def test_a_rule_keeps_mail_back_until_it_is_released_or_dropped(running: Running, tmp_path: Path) -> None:
    sender, recipient = running.stage.cast.person("e06"), running.stage.cast.person("e06", nth=1)
    admin = running.suite.issuer.token(sender.person_id, entity="e06", roles=["mail.admin"])

    async def mail(*arguments: str) -> str:
        return await rossio(running, admin, "mail", *arguments)

    draft = tmp_path / "rule.json"
    draft.write_text(json.dumps(RULE))
    rule_id = (await mail("rules", "put", str(draft))).split()[0]
    (rule,) = (json.loads(line) for line in (await mail("rules", "list", "--json")).splitlines())
    assert (rule["ruleId"], rule["name"]) == (rule_id, "e2e")

    async def in_force() -> bool:
        return "looked at first" in await mail("rules", "list")

    await until("the rule is in force", in_force)
    addresses = sender.addresses[0], recipient.addresses[0]
    content = f"From: <{addresses[0]}>\r\nSubject: kept back by e2e\r\n\r\nhello\r\n".encode()

    async def both_kept() -> list[str] | None:
        """Sends until two are kept back: workers have heard of the rule within seconds."""
        await asyncio.to_thread(hand_over, running.stage.stack.smtp, *addresses, content)
        lines = (await mail("quarantine", "list")).splitlines()
        kept = [line.split()[0] for line in lines if "looked at first" in line]
        return kept if len(kept) >= 2 else None

    first, second, *_ = await until("two mails are kept back", both_kept)
    await mail("quarantine", "release", first)
    await mail("quarantine", "drop", second)
    message_id = first.partition("/")[0]

    async def released() -> bool:
        boxes = Path(running.stage.stack.maildirs).glob(f"**/{recipient.person_id}/new/*{message_id}*")
        return any(boxes)

    await until("what was released is in the mailbox", released)
    left = await mail("quarantine", "list")
    assert first not in left
    assert second not in left
    await mail("rules", "remove", rule_id)
    assert rule_id not in await mail("rules", "list")
    assert rule_id in await mail("rules", "list", "--history")

    async def replayed() -> bool:
        return message_id in await mail("rules", "replay", str(draft), "--days", "1")

    await until("the mails would be kept back again", replayed)


async def test_a_person_makes_an_app_password_and_takes_it_back(running: Running) -> None:
    token = running.suite.issuer.token(running.stage.cast.person("e07").person_id, entity="e07")
    made = (await rossio(running, token, "mail", "password", "create", "phone")).strip()
    listed = await rossio(running, token, "mail", "password", "list")
    assert made not in listed
    (line,) = (line for line in listed.splitlines() if "phone" in line.split())
    await rossio(running, token, "mail", "password", "revoke", line.split()[0])
    assert "revoked" in await rossio(running, token, "mail", "password", "list")
