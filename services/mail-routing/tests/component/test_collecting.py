"""Large content goes from the blob store when its mail has ended, and not before, whatever dies."""

import asyncio
import smtplib
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import store
from mail_routing.adapters.store import StoredContentUsers
from mail_routing.entrypoints.smtp.grammar import Reply
from rossio.mail.v1 import rules_pb2 as pb

from .asking import admin, rule, ruled  # type: ignore[import-not-found]  # "mail-routing" is no module name
from .conftest import (  # type: ignore[import-not-found]
    TRUSTED,
    As,
    Mail,
    address,
    make_all_due,
    marker,
    sinking,
    until,
)

ANA, RUI, EVA, NUNO = "mr-ana", "mr-rui", "mr-eva", "mr-nuno"
LARGE = b"0123456789abcd\r\n" * 40_000
"""More than travels in a record."""
DEFERRED = 'rossio_mail_outcomes_total{lane="normal",outcome="deferred"}'


@pytest.fixture(scope="module")
def own_settings() -> dict[str, str]:
    """Content is collected at half a second's age, twice a second."""
    return {"COLLECT_AFTER_SECONDS": "0.5"}


def content(mark: bytes) -> bytes:
    return b"From: ana\r\nX-Mark: " + mark + b"\r\n\r\n" + LARGE


async def send(mail: Mail, mark: bytes, to: list[str], sender: str = address(ANA)) -> None:
    await asyncio.to_thread(mail.send, sender, to, content(mark), TRUSTED)


def stored(mail: Mail) -> set[Path]:
    return {path for path in (mail.program.folder / "data" / "blobs" / "content").rglob("*") if path.is_file()}


async def collected(mail: Mail, left: set[Path]) -> None:
    """Once two mails that came later are gone from the store, nothing is in it but this."""
    for _ in range(2):
        mark = marker()
        await send(mail, mark, [address(RUI)])
        await mail.letter(RUI, mark)
        await until(lambda: stored(mail) <= left)
    assert stored(mail) == left


async def test_content_stays_while_somebody_waits_for_it_and_goes_when_all_have_it(mail: Mail) -> None:
    mark = marker()
    await send(mail, mark, [address(EVA), "x@sink.test"])
    assert (await mail.letter(EVA, mark)).endswith(content(mark))
    waits = stored(mail)
    assert len(waits) == 1
    await collected(mail, waits)
    # Equal octets of another mail, which ends at once, are that one's own.
    await send(mail, mark, [address(NUNO)])
    await mail.letter(NUNO, mark)
    await collected(mail, waits)
    async with sinking(mail.sink_port) as sink:
        await make_all_due(mail)
        await until(lambda: sink.with_marker(mark))
    assert sink.with_marker(mark)[0][2].endswith(content(mark))
    await collected(mail, set())


WAITS, ENDS = [{"state": "delivered"}, {"state": "deferred"}], [{"state": "delivered"}, {"state": "bounced"}]


def part(number: int, deliveries: list[dict[str, str]], plan: str = "p", **more: Any) -> dict[str, Any]:
    """A shard of a mail; of an expansion, and released, where it has a version."""
    return {"number": number, "deliveries": deliveries, "plan": {"id": plan, "shards": 2}, **more}


@pytest.mark.parametrize(
    ("shards", "needed", "recorded"),
    [
        ([], False, False),
        ([part(0, ENDS), part(1, ENDS)], False, True),
        ([part(0, ENDS), part(1, WAITS)], True, True),
        ([part(0, WAITS, version=3), part(1, ENDS)], True, True),
        ([part(0, [{"state": "quarantined"}])], True, True),
        ([part(0, [{"state": "of another release"}])], True, True),
        ([part(0, ENDS), part(1, WAITS, "lost")], False, True),
        ([part(1, WAITS)], False, False),
        ([part(0, ENDS), part(1, WAITS, "other", version=2)], True, True),
        ([part(0, ENDS, onward=[{"class": "bulk", "ids": ["m/other/1"]}]), part(1, WAITS, "other")], True, True),
    ],
)
async def test_what_the_shards_of_a_mail_say_of_its_content(
    mongo: str, shards: list[dict[str, Any]], needed: bool, recorded: bool
) -> None:
    database = store.connect(mongo, f"test_{uuid4().hex}")
    deliveries = database.collection("deliveries")
    for shard in [*shards, part(0, ENDS, blob="another"), part(1, WAITS, blob="another")]:
        await deliveries.insert({"_id": uuid4().hex, "blob": "this", **shard})
    users = StoredContentUsers(deliveries)
    assert ("this" in await users.waiting_for(["this"])) is needed
    assert ("this" in await users.unrecorded(["this"])) is not recorded
    await database.drop()
    await database.close()


async def test_what_is_kept_back_stays_until_somebody_decides(mail: Mail, caller: As) -> None:
    marks = marker(), marker()
    stub = admin(caller)
    async with ruled(caller, rule("back", {"recipient": "mr-nuno@*"}, ("quarantine", "looks dangerous"))):
        for mark in marks:
            await send(mail, mark, [address(NUNO), address(EVA)])
            await mail.letter(EVA, mark)

        async def both() -> list[pb.QuarantinedMail]:
            page = await stub.ListQuarantine(pb.ListQuarantineRequest(page_size=100))
            return list(page.mails) if len(page.mails) == 2 else []

        first, second = await until(both)
    kept = stored(mail)
    assert len(kept) == 2
    await collected(mail, kept)
    said = {"request_id": uuid4().hex}
    await stub.ReleaseQuarantined(pb.ReleaseQuarantinedRequest(quarantine_id=first.quarantine_id, **said))
    await until(lambda: any(mail.letters(NUNO, mark) for mark in marks))
    await until(lambda: len(stored(mail)) == 1)
    await stub.DropQuarantined(pb.DropQuarantinedRequest(quarantine_id=second.quarantine_id, **said))
    await collected(mail, set())


async def test_a_bounce_that_quotes_the_mail_has_its_content_until_it_has_ended(mail: Mail) -> None:
    """It waits for its own site, while the mail that it is about has ended."""
    mark, before = marker(), mail.program.metric(DEFERRED)
    client = mail.client(TRUSTED)
    client.ehlo()
    async with sinking(mail.sink_port, **{"x@sink.test": Reply(550, "5.1.1", "nobody")}):
        await asyncio.to_thread(
            client.sendmail, "author@postfix.test", ["x@sink.test"], content(mark), ["RET=FULL", "BODY=8BITMIME"]
        )
        client.close()
        await until(lambda: mail.program.metric(DEFERRED) > before)  # the report waits for its site
    await until(lambda: len(stored(mail)) == 1)
    await collected(mail, stored(mail))
    async with sinking(mail.postfix_port) as author:
        await make_all_due(mail)
        await until(lambda: author.with_marker(mark))
    assert content(mark) in author.with_marker(mark)[0][2]
    await collected(mail, set())


@pytest.mark.parametrize("point", ["mail.deliver.planned", "blobs.collect.found", "blobs.collect.deleted"])
async def test_who_dies_in_between_leaves_nothing_behind_and_loses_nothing(mail: Mail, caller: As, point: str) -> None:
    """A worker that dies over the parts of a mail leaves some that nobody will ever deliver."""
    mark = marker()
    async with ruled(caller, rule("one", {"recipient": "mr-eva@*"}, ("add-header", "yes", "X-One"))):
        mail.program.stop()
        await dying(mail, point, mark)
        mail.program.start()
        for person in (EVA, NUNO):
            assert (await mail.letter(person, mark)).endswith(content(mark))
        await collected(mail, set())


async def test_content_whose_mail_is_not_recorded_stays_as_long_as_a_record_may_last(mail: Mail) -> None:
    mail.program.stop()
    await dying(mail, "mail.accept.stored", marker())
    lost = stored(mail)
    assert len(lost) == 1
    mail.program.start()
    await collected(mail, lost)
    mail.program.stop()
    mail.program.settings["COLLECT_UNRECORDED_AFTER_SECONDS"] = "1"
    mail.program.start()
    del mail.program.settings["COLLECT_UNRECORDED_AFTER_SECONDS"]
    await collected(mail, set())


async def dying(mail: Mail, point: str, mark: bytes) -> None:
    """A mail to two people, in the hands of a process that dies at the point."""
    mail.program.settings["ROSSIO_KILL_AT"] = point
    await asyncio.to_thread(mail.program.start)
    del mail.program.settings["ROSSIO_KILL_AT"]
    with suppress(smtplib.SMTPServerDisconnected):
        await send(mail, mark, [address(EVA), address(NUNO)])
    await until(lambda: mail.program.exit_code is not None)
    assert f"killed at {point}" in mail.program.output()
