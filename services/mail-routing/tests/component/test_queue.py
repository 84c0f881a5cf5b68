"""The queue as administrators use it, by gRPC: list, hold, release, retry, drop; and urgent mail beside a bulk."""

import asyncio
import smtplib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest
import rpc
from devstack.issuer import Issuer
from rossio.mail.v1 import events_pb2
from rossio.mail.v1 import queue_pb2 as pb
from rossio.mail.v1.queue_pb2_grpc import QueueServiceStub
from rossio.mail.v1.service_pb2 import SubmitRequest, TraceRequest

from .asking import change, entries, looks_after  # type: ignore[import-not-found]  # "mail-routing" is no module name
from .conftest import (  # type: ignore[import-not-found]
    TRUSTED,
    As,
    Mail,
    address,
    marker,
    sinking,
    until,
)

ANA, EVA, RUI = "mr-ana", "mr-eva", "mr-rui"
DEAD = "127.0.0.1:1"
"""The hop of dead.test, where nothing listens."""


def content(mark: bytes) -> bytes:
    return b"From: no-reply@mr-a.test\r\nSubject: waits\r\nX-Mark: " + mark + b"\r\n\r\nhello\r\n"


@pytest.fixture
async def queue(mail: Mail, issuer: Issuer) -> AsyncIterator[As]:
    async with AsyncExitStack() as channels:

        def speak(subject: str, entity: str, *roles: str) -> Any:
            token = issuer.token(subject, entity=entity, roles=list(roles))
            channel = rpc.channel(mail.program.grpc, token=lambda: token)
            channels.push_async_callback(channel.close)
            return QueueServiceStub(channel)

        yield speak


@pytest.fixture
def boss(queue: As) -> Any:
    return queue("boss", "mr-a", "mail.admin")


async def waiting(mail: Mail, stub: Any, sender: str, to: list[str]) -> pb.QueueEntry:
    """The entry of a mail that cannot be delivered now."""
    before = {entry.queue_id for entry in await entries(stub)}
    await asyncio.to_thread(mail.send, sender, to, content(marker()), TRUSTED)
    async with asyncio.timeout(60):
        while True:
            for entry in await entries(stub):
                if entry.queue_id not in before:
                    assert isinstance(entry, pb.QueueEntry)
                    return entry
            await asyncio.sleep(0.1)


async def entry_of(stub: Any, queue_id: str) -> pb.QueueEntry | None:
    return next((entry for entry in await entries(stub) if entry.queue_id == queue_id), None)


async def test_what_waits_is_listed_to_its_entity_page_by_page_and_to_nobody_else(
    mail: Mail, queue: As, boss: Any
) -> None:
    mine = [await waiting(mail, boss, address(ANA), [f"x{n}@dead.test"]) for n in range(3)]
    theirs = queue("chief", "mr-b", "mail.admin")
    other = await waiting(mail, theirs, address(EVA), ["x@dead.test"])
    shown = await entries(boss, page_size=2, site=DEAD)
    assert [entry.queue_id for entry in shown] == [entry.queue_id for entry in mine]
    assert (shown[0].sender, shown[0].waiting, list(shown[0].sites)) == (address(ANA), 1, [DEAD])
    assert shown[0].status.startswith("4.4.")
    assert (list(shown[0].recipients), shown[0].size > 0) == (["x0@dead.test"], True)
    everything = {entry.queue_id for entry in await entries(queue("root", "mr-c", "mail.admin", "ministry.admin"))}
    assert {entry.queue_id for entry in (*mine, other)} <= everything
    with pytest.raises(Exception, match="PERMISSION_DENIED"):
        await entries(queue(ANA, "mr-a"))
    assert (await change(boss, "DROP", other.queue_id)).unchanged == 1
    assert (await change(boss, "DROP", *(entry.queue_id for entry in mine))).changed == 3
    assert await entries(boss, site=DEAD) == []
    assert (await change(theirs, "DROP", site=DEAD)).changed == 1


async def test_held_mail_waits_until_it_is_released_and_each_act_is_audited(
    mail: Mail, boss: Any, streams: str
) -> None:
    mark = marker()
    await asyncio.to_thread(mail.send, address(ANA), ["later@sink.test", address(RUI)], content(mark), TRUSTED)
    await mail.letter(RUI, mark)
    async with asyncio.timeout(60):
        while not (found := await entries(boss)):
            await asyncio.sleep(0.1)
        (entry,) = found
        while not (await change(boss, "HOLD", entry.queue_id)).changed:  # an attempt may be in hand
            await asyncio.sleep(0.2)
    assert [each.queue_id for each in await entries(boss, held=True)] == [entry.queue_id]
    assert (await change(boss, "RETRY", entry.queue_id)).unchanged == 1
    async with sinking(mail.sink_port) as sink:
        assert (await change(boss, "RELEASE", held=True)).changed == 1
        async with asyncio.timeout(90):
            while not sink.with_marker(mark):
                # The site is left alone for a while after its failures, unless somebody asks for it.
                await change(boss, "RETRY", entry.queue_id)
                await asyncio.sleep(0.5)
        await until(lambda: sink.with_marker(mark))
    assert len(sink.with_marker(mark)) == 1
    actions = [record.action for record in await looks_after(streams, entry.queue_id, 2)]
    assert actions[:2] == ["mail.queue.hold", "mail.queue.release"]


async def test_what_is_dropped_is_gone_and_said_so(mail: Mail, boss: Any, caller: As) -> None:
    entry = await waiting(mail, boss, address(ANA), ["x@dead.test", address(RUI)])
    async with asyncio.timeout(60):
        while not (await change(boss, "DROP", entry.queue_id)).changed:
            await asyncio.sleep(0.2)
    assert await entry_of(boss, entry.queue_id) is None
    (traced,) = [each async for each in caller(ANA).Trace(TraceRequest(message_id=entry.message_id))]
    assert [outcome.state for outcome in traced.outcomes] == [
        events_pb2.DELIVERY_STATE_DROPPED,
        events_pb2.DELIVERY_STATE_DELIVERED,
    ]


@pytest.mark.parametrize(
    ("reported_to", "returned"),
    [(address(ANA), b""), ("no-reply@mr-a.test", b""), (address(ANA), b"a line of the mail\r\n" * 100_000)],
    ids=["to the sender", "to a service", "with the whole mail"],
)
async def test_a_report_of_the_next_hop_turns_a_delivery_into_a_bounce(
    mail: Mail, caller: As, reported_to: str, returned: bytes
) -> None:
    """A report is read whoever it is for; the address that services send from takes nothing else."""
    mark = marker()
    async with sinking(mail.sink_port) as sink:
        await asyncio.to_thread(mail.send, address(ANA), ["gone@sink.test"], content(mark), TRUSTED)
        await until(lambda: sink.with_marker(mark))
    ((_, _, relayed),) = sink.with_marker(mark)
    received = relayed.split(b"\r\nSubject:")[0]
    report = (
        b"From: MAILER-DAEMON@sink.test\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b\r\n"
        b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; sink.test\r\n\r\n"
        b"Final-Recipient: rfc822; gone@sink.test\r\nAction: failed\r\nStatus: 5.2.1\r\n"
        b"\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n" + received + b"\r\n\r\n" + returned + b"--b--\r\n"
    )
    await asyncio.to_thread(mail.send, "", [reported_to], report)
    message_id = received.split(b" id ")[1].split()[0].decode()
    if reported_to == address(ANA):
        assert await mail.letter(ANA, message_id.encode())
    else:
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            await asyncio.to_thread(mail.send, "x@else.test", [reported_to], report)

    async def outcome() -> tuple[int, str]:
        (traced,) = [each async for each in caller(ANA).Trace(TraceRequest(message_id=message_id))]
        return traced.outcomes[0].state, traced.outcomes[0].status

    async with asyncio.timeout(60):
        while await outcome() != (events_pb2.DELIVERY_STATE_BOUNCED, "5.2.1"):
            await asyncio.sleep(0.1)


async def test_what_one_sender_has_sent_is_found_among_what_waits(mail: Mail, queue: As, boss: Any) -> None:
    anas, service = [await waiting(mail, boss, each, ["x@dead.test"]) for each in (address(ANA), "no-reply@mr-a.test")]
    bounce = await waiting(mail, queue("root", "mr-c", "mail.admin", "ministry.admin"), "", ["x@dead.test"])
    assert [each.queue_id for each in await entries(boss, sender=address(ANA).upper())] == [anas.queue_id]
    assert await entries(boss, sender=address(ANA), site="mx:else.test") == []
    assert bounce.queue_id not in {each.queue_id for each in await entries(boss, sender="<>")}, "of no entity"
    root = queue("root", "mr-c", "mail.admin", "ministry.admin")
    assert [each.queue_id for each in await entries(root, sender="<>", site=DEAD)] == [bounce.queue_id]
    assert (await change(boss, "DROP", sender="no-reply@mr-a.test", site=DEAD)).changed == 1
    assert service.queue_id not in {each.queue_id for each in await entries(boss)}
    assert (await change(root, "DROP", anas.queue_id, bounce.queue_id)).changed == 2


async def test_a_filter_that_chooses_everything_is_refused(boss: Any, refused: Any) -> None:
    with refused("INVALID_ARGUMENT", "QUEUE_FILTER"):
        await change(boss, "DROP")


@pytest.mark.parametrize(
    ("source", "field", "kind"),
    [
        (TRUSTED, b"Rossio-Class: urgent", "URGENT"),
        ("127.0.0.1", b"Rossio-Class: urgent", "NORMAL"),
        ("127.0.0.1", b"Precedence: bulk", "BULK"),
    ],
    ids=["believed", "not believed", "stepping back"],
)
async def test_a_mail_by_smtp_says_its_class(mail: Mail, caller: As, source: str, field: bytes, kind: str) -> None:
    mark = marker()
    await asyncio.to_thread(mail.send, address(ANA), [address(RUI)], field + b"\r\n" + content(mark), source)
    letter = await mail.letter(RUI, mark)
    message_id = letter.split(b" id ")[1].split()[0].decode()
    async with asyncio.timeout(60):
        while not (seen := [each async for each in caller(ANA).Trace(TraceRequest(sender=address(ANA), limit=5))]):
            await asyncio.sleep(0.1)
        while message_id not in {each.message_id for each in seen}:
            seen = [each async for each in caller(ANA).Trace(TraceRequest(sender=address(ANA), limit=5))]
    (traced,) = [each for each in seen if each.message_id == message_id]
    assert getattr(traced, "class") == events_pb2.MessageClass.Value(f"MESSAGE_CLASS_{kind}")


BULK = 400


async def test_urgent_mail_passes_a_bulk_that_waits(mail: Mail, caller: As) -> None:
    """Hundreds of bulk mails are accepted first; the urgent one is there before most of them, by another class.

    With 126,683 it is timed by `make bench-mail` (tests/bench/mail_urgent.py).
    """
    service = caller("notification", kind="service")
    bulk, urgent = marker(), marker()

    def submission(mark: bytes, kind: str, to: str) -> SubmitRequest:
        made = {"class": events_pb2.MessageClass.Value(f"MESSAGE_CLASS_{kind}")}
        return SubmitRequest(
            request_id=uuid4().hex,
            sender="no-reply@mr-a.test",
            recipients=[to],
            content=content(mark),
            **made,
        )

    await service.Submit(submission(bulk, "BULK", "everybody@mr-c.test"))
    await asyncio.gather(*(service.Submit(submission(bulk, "BULK", address(EVA))) for _ in range(BULK)))
    await service.Submit(submission(urgent, "URGENT", address(RUI)))
    await mail.letter(RUI, urgent)
    there = len(mail.letters(EVA, bulk))
    await until(lambda: len(mail.letters(EVA, bulk)) == BULK, 120)
    assert there < BULK, "the bulk was done before: it held nobody up, and the test says nothing"
