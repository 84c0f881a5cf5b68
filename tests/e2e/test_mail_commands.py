"""`rossio mail` with its commands, as administrators and people type them."""

import asyncio
import json
import os
import sys
from email import message_from_string
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from cli.client import Client
from cli.demo.mail import hand_over
from cli.demo.stage import until
from rossio.directory.v1 import directory_pb2, service_pb2

from tests.e2e.running import Running

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="session")]

RULE = {
    "name": "e2e",
    "conditions": [{"field": "subject", "values": ["kept back by e2e"]}],
    "actions": [{"verb": "quarantine", "value": "looked at first"}],
}


async def rossio(running: Running, token: str, *arguments: str, **settings: str) -> str:
    """What the command prints, when it succeeds."""
    endpoints = ",".join(f"{name}={address}" for name, address in running.stage.stack.endpoints.items())
    program = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("rossio"),
        *arguments,
        env=os.environ | {"ROSSIO_ENDPOINTS": endpoints, "ROSSIO_TOKEN": token, "COLUMNS": "400"} | settings,
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


async def test_a_moderator_is_asked_looks_and_decides(running: Running) -> None:
    people = [running.stage.cast.person("e08", nth=nth) for nth in range(3)]
    tokens = [running.suite.issuer.token(each.person_id, entity="e08", roles=["directory.admin"]) for each in people]
    address = f"avisos@{people[0].addresses[0].partition('@')[2]}"
    group = directory_pb2.Group(
        group_id="g-e08-avisos",
        entity_id="e08",
        name="Avisos",
        addresses=[address],
        members=[directory_pb2.Member(person_id=people[2].person_id)],
        moderators=[directory_pb2.Member(person_id=people[1].person_id)],
    )
    async with Client(running.stage.stack.endpoints, lambda: tokens[0]) as client:
        await client.directory.PutGroup(service_pb2.PutGroupRequest(request_id=str(uuid4()), group=group))

    async def known() -> bool:
        return "waits for moderators" in await rossio(running, tokens[0], "mail", "resolve", address)

    await until("mail-routing knows the list", known)
    sent = [await rossio(running, tokens[0], "mail", "send", address, "--body", "boa tarde") for _ in range(2)]
    ids = [line.split()[-1] for line in sent]

    async def asked() -> list[str] | None:
        lines = (await rossio(running, tokens[1], "mail", "moderation", "list")).splitlines()
        waiting = {line.split(":")[0]: line.split()[0] for line in lines}
        return [waiting[one] for one in ids] if waiting.keys() >= set(ids) else None

    first, second = await until("both wait for the moderator", asked)
    assert "boa tarde" in await rossio(running, tokens[1], "mail", "moderation", "show", first)
    assert ids[0] not in await rossio(running, tokens[0], "mail", "moderation", "list")
    await rossio(running, tokens[1], "mail", "moderation", "approve", first)
    await rossio(running, tokens[1], "mail", "moderation", "reject", second, "--reason", "hoje não")

    def letters(nth: int, of: str) -> list[Path]:
        return list(Path(running.stage.stack.maildirs).glob(f"**/{people[nth].person_id}/new/*{of}*"))

    async def ended() -> bool:
        return bool(letters(2, ids[0]) and letters(0, f"{ids[1]}.dsn"))

    await until("the one is in the mailbox, and of the other its sender has heard", ended)
    assert not letters(2, ids[1])
    traced = await rossio(running, tokens[0], "mail", "trace", "--message-id", ids[1])
    assert people[1].person_id in traced
    assert "hoje não" in traced


async def test_what_waits_is_held_released_dropped_and_tried_and_its_trace_tells_each_attempt(running: Running) -> None:
    sender, recipient = running.stage.cast.person("e10"), running.stage.cast.person("e10", nth=1)
    admin = running.suite.issuer.token(sender.person_id, entity="e10", roles=["mail.admin"])
    addresses = sender.addresses[0], recipient.addresses[0]
    box = Path(running.stage.stack.maildirs) / "e10" / recipient.person_id
    box.parent.mkdir(parents=True, exist_ok=True)
    box.touch()  # a mailbox that cannot be written

    async def mail(*arguments: str) -> str:
        return await rossio(running, admin, "mail", *arguments)

    async def waiting() -> list[str] | None:
        lines = [line for line in (await mail("queue", "list")).splitlines() if "The mailbox cannot be written" in line]
        return lines if len(lines) == 3 else None

    for number in range(3):
        content = f"From: <{addresses[0]}>\r\nSubject: waits\r\n\r\n{number}\r\n".encode()
        await asyncio.to_thread(hand_over, running.stage.stack.smtp, *addresses, content)
    lines = await until("three wait", waiting)
    assert all(line.split("\t")[8:] == [f"<{addresses[0]}>", line.split("\t")[9], addresses[1]] for line in lines)
    held, dropped, tried = (line.split()[0] for line in lines)
    reason = ("--reason", "says the test")
    for action, one in (("hold", held), ("drop", dropped)):
        assert (await mail("queue", action, *reason, one)).split()[-2:] == ["1", "0"]
    assert [line.split()[0] for line in (await mail("queue", "list", "--held")).splitlines() if held in line] == [held]
    box.unlink()
    await mail("queue", "retry", *reason, tried)

    async def arrived(one: str) -> None:
        async def there() -> bool:
            return any(box.glob(f"new/*{one.partition('/')[0]}*"))

        await until("it is in the mailbox", there)

    await arrived(tried)
    assert len(list(box.glob("new/*"))) == 1
    await mail("queue", "release", *reason, held)
    await arrived(held)
    assert held not in await mail("queue", "list")

    async def traced(*arguments: str) -> str:
        return await rossio(running, sender_token, "mail", "trace", *arguments)

    sender_token = running.suite.issuer.token(sender.person_id, entity="e10")

    async def whole() -> str | None:
        told = await traced("--message-id", tried.partition("/")[0])
        return told if "In the mailbox" in told else None

    told = await until("the trace tells the end", whole)
    for word in ("deferred", "4.3.0 The mailbox cannot be written", "delivered", "2.0.0", f"e10/{recipient.person_id}"):
        assert " ".join(word.split()) in " ".join(told.split())
    assert "dropped" in await traced("--message-id", dropped.partition("/")[0])
    by_both = await traced("--sender", addresses[0], "--recipient", addresses[1])
    assert all(one.partition("/")[0] in by_both for one in (held, dropped, tried))


async def test_a_mail_is_traced_by_the_message_id_that_its_readers_see(running: Running, tmp_path: Path) -> None:
    sender, recipient, other = (running.stage.cast.person("e11", nth=nth) for nth in range(3))
    tokens = {each.person_id: running.suite.issuer.token(each.person_id, entity="e11") for each in (sender, recipient)}
    named = f"[bold]{uuid4().hex}@else.test"
    for name, fields in (("named", f"Message-ID: <{named}>\r\n"), ("unnamed", "")):
        (tmp_path / name).write_text(f"From: <{sender.addresses[0]}>\r\n{fields}\r\nbom dia\r\n", newline="")

    async def sent(name: str) -> str:
        file = ("--file", str(tmp_path / name))
        told = await rossio(running, tokens[sender.person_id], "mail", "send", recipient.addresses[0], *file)
        return told.split()[-1]

    ids = [await sent("named"), await sent("unnamed")]

    async def arrived() -> str | None:
        found = Path(running.stage.stack.maildirs).glob(f"**/{recipient.person_id}/new/*{ids[1]}*")
        return next((path.read_text() for path in found), None)

    given = message_from_string(await until("the mail is in the mailbox", arrived))["Message-ID"]

    async def traced(token: str, message_id: str) -> str | None:
        """What the command prints; None while no worker has recorded the mail."""
        try:
            return await rossio(running, token, "mail", "trace", "--message-id", message_id)
        except AssertionError as refused:
            if "there is no such mail" not in str(refused):
                raise
            return None

    for wanted, message_id in ((f"<{named}>", ids[0]), (named, ids[0]), (given, ids[1]), (ids[0], ids[0])):
        for token in tokens.values():
            told = await until("the mail is traced", partial(traced, token, wanted))
            assert message_id in told
            assert f"Message-ID: {wanted if wanted == given else f'<{named}>'}" in told
    stranger = running.suite.issuer.token(other.person_id, entity="e11")
    assert await traced(stranger, named) is None


async def test_a_sender_who_writes_markup_is_traced_like_any_other(running: Running) -> None:
    recipient = running.stage.cast.person("e12")
    token = running.suite.issuer.token(recipient.person_id, entity="e12")
    sender = '"[red]x[/nope]"@else.test'
    addresses = sender, recipient.addresses[0]
    await asyncio.to_thread(hand_over, running.stage.stack.smtp, *addresses, b"From: x\r\n\r\nhello\r\n")

    async def traced() -> str:
        """As on a terminal, where markup would count."""
        return await rossio(running, token, "mail", "trace", "--recipient", addresses[1], FORCE_COLOR="1")

    assert f"from <{sender}>" in await until("the mail is traced", traced)


async def test_where_a_mail_would_go_is_told_step_by_step(running: Running) -> None:
    person = running.stage.cast.person("e03")
    token = running.suite.issuer.token(person.person_id, entity="e03")
    group = running.stage.cast.nested_list("e03").addresses[0]
    told = await rossio(running, token, "mail", "resolve", group)
    assert "is the list" in told
    assert "holds" in told
    assert "\tmailbox\te03/" in told
    outside = await rossio(running, token, "mail", "resolve", "x@else.test", "--sender", "y@else.test")
    assert "Relaying is not allowed" in outside
    forged = await rossio(running, token, "mail", "resolve", group, "--sender", person.addresses[0], "--outside")
    assert "is not believed" in forged
    assert len(told.splitlines()) < len(
        (await rossio(running, token, "mail", "resolve", group, "--limit", "1000")).splitlines()
    )


async def test_a_person_lets_another_send_in_their_name_and_ends_it(running: Running) -> None:
    owner, other = running.stage.cast.person("e09"), running.stage.cast.person("e09", nth=1)
    token = running.suite.issuer.token(owner.person_id, entity="e09")
    names = owner.addresses[0], other.addresses[0]

    async def listed() -> list[list[str]]:
        told = await rossio(running, token, "mail", "delegate", "list", names[0])
        return [line.split() for line in told.splitlines() if other.person_id in line]

    await rossio(running, token, "mail", "delegate", "grant", *names, "--send-as")
    assert await listed() == [[other.person_id, "send-as"]]
    await rossio(running, token, "mail", "delegate", "revoke", *names)
    assert await listed() == []
