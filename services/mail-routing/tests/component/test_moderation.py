"""Mail that waits for moderators: asked once each, decided once, on to each recipient once, also over deaths."""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import grpc
import pytest
import rpc
import store
from devstack.issuer import Issuer
from rossio.mail.v1 import events_pb2, rules_pb2, service_pb2
from rossio.mail.v1 import moderation_pb2 as pb
from rossio.mail.v1.moderation_pb2_grpc import ModerationServiceStub

from .asking import admin, found, looks, put, request, rule, ruled  # type: ignore[import-not-found]  # "mail-routing" is no module name
from .conftest import CROWD, PEOPLE, As, Mail, address, make_all_due, marker, sinking, until  # type: ignore[import-not-found]

ANA, RUI, EVA, NUNO, DORA = "mr-ana", "mr-rui", "mr-eva", "mr-nuno", "mr-dora"
NEWS, DIGEST, AROUND, CROWDED = (f"mr-{name}@mr-a.test" for name in ("news", "digest", "around", "crowd"))
PENDING, DEFERRED = events_pb2.DELIVERY_STATE_PENDING, events_pb2.DELIVERY_STATE_DEFERRED
DELIVERED, BOUNCED = events_pb2.DELIVERY_STATE_DELIVERED, events_pb2.DELIVERY_STATE_BOUNCED


@pytest.fixture
async def moderator(mail: Mail, issuer: Issuer) -> AsyncIterator[As]:
    async with AsyncExitStack() as channels:

        def speak(subject: str, entity: str = "", *roles: str) -> Any:
            token = issuer.token(subject, entity=entity or PEOPLE.get(subject, ""), roles=list(roles))
            channel = rpc.channel(mail.program.grpc, token=lambda: token)
            channels.push_async_callback(channel.close)
            return ModerationServiceStub(channel)

        yield speak


async def listed(stub: Any, message_id: str) -> list[pb.ModeratedMail]:
    """What of the mail waits for the caller now."""
    page = await stub.ListModerated(pb.ListModeratedRequest(page_size=1000))
    return [each for each in page.mails if each.message_id == message_id]


async def waits(stub: Any, message_id: str) -> pb.ModeratedMail:
    """The one part of the mail that waits for the caller, once it does."""
    parts: list[pb.ModeratedMail] = await until(lambda: listed(stub, message_id))
    (waiting,) = parts
    return waiting


def approval(moderation_id: str, reason: str = "") -> pb.ApproveModeratedRequest:
    return pb.ApproveModeratedRequest(request_id=uuid4().hex, moderation_id=moderation_id, reason=reason)


def rejection(moderation_id: str, reason: str = "") -> pb.RejectModeratedRequest:
    return pb.RejectModeratedRequest(request_id=uuid4().hex, moderation_id=moderation_id, reason=reason)


async def submitted(caller: As, to: list[str], mark: bytes, sender: str = ANA) -> str:
    message_id: str = (await caller(sender).Submit(request(address(sender), to, mark))).message_id
    return message_id


async def notice(mail: Mail, person_id: str, moderation_id: str) -> str:
    """The one that asked them, as they read it."""

    def asked() -> list[str]:
        letters = mail.letters(person_id, b"From: postmaster@")
        parsed = [email.message_from_bytes(letter, policy=email.policy.default) for letter in letters]
        assert all(each["Return-Path"] == "<>" for each in parsed)
        read = [f"{each['Subject']}\n{each.get_content()}" for each in parsed]
        return [each for each in read if moderation_id in each]

    (text,) = await until(asked)
    return str(text)


def ends_once(mail: Mail, mark: bytes, *people: str) -> None:
    assert {each: len(mail.letters(each, mark)) for each in people} == dict.fromkeys(people, 1)


async def test_a_mail_to_a_moderated_list_waits_and_goes_on_to_each_once(
    mail: Mail, caller: As, moderator: As, streams: str, refused: Any
) -> None:
    """Also where two approve at once, one of them again, and somebody is in the list, the nested one and addressed."""
    mark = marker()
    async with sinking(mail.sink_port) as sink:
        message_id = await submitted(caller, [NEWS, address(RUI)], mark)
        assert await mail.letter(RUI, mark), "who is addressed waits for nobody"
        waiting = await waits(moderator(EVA), message_id)
        assert (waiting.sender, waiting.waits_for) == (address(ANA), NEWS)
        for each in (EVA, DORA):
            said = await notice(mail, each, waiting.moderation_id)
            assert all(word in said for word in ("moderação", "moderation", address(ANA), NEWS, "espera", "waits"))
            assert "by gRPC" not in said
            assert mark.decode() not in said
        shown = await moderator(EVA).GetModerated(pb.GetModeratedRequest(moderation_id=waiting.moderation_id))
        assert mark in shown.content
        assert not mail.letters(NUNO, mark)

        answers = (moderator(each).ApproveModerated(approval(waiting.moderation_id, "fine")) for each in (EVA, DORA))
        await asyncio.gather(*answers)
        await moderator(DORA).ApproveModerated(approval(waiting.moderation_id))
        assert await mail.letter(NUNO, mark)
        inner = await waits(moderator(DORA), message_id)
        assert inner.waits_for == DIGEST
        assert not await listed(moderator(EVA), message_id), "no moderator of that one"
        assert not mail.letters("mr-c1", mark)
        with refused("ABORTED", "DECIDED"):
            await moderator(EVA).RejectModerated(rejection(waiting.moderation_id))

        await moderator(DORA).ApproveModerated(approval(inner.moderation_id))
        assert await mail.letter("mr-c1", mark)
        await until(lambda: sink.with_marker(mark))
        ends_once(mail, mark, RUI, NUNO, "mr-c1")
        assert len(sink.with_marker(mark)) == 1

    async def ended() -> dict[str, events_pb2.Outcome]:
        outcomes = {o.address: o for t in await found(caller(ANA), message_id) for o in t.outcomes}
        return outcomes if {o.state for o in outcomes.values()} == {DELIVERED} else {}

    outcomes = await until(ended)
    past = [(each.state, each.decided_by, each.reply) for each in outcomes[NEWS].history]
    assert [state for state, _, _ in past] == [PENDING, DEFERRED, DELIVERED]
    assert past[1][1] in {EVA, DORA}
    assert past[1][2:] == ("Approved: fine",)

    async def audited() -> list[Any]:
        actions = [each.action for each in await looks(streams, message_id)]
        return actions if actions.count("mail.moderation.approve") == 2 else []

    assert "mail.moderation.read" in await until(audited), "one decision a list, whoever repeats it"


async def test_nobody_else_may_see_or_decide(mail: Mail, caller: As, moderator: As, refused: Any) -> None:
    mark = marker()
    message_id = await submitted(caller, [NEWS], mark)
    waiting = await waits(moderator("boss", "mr-a", "mail.admin"), message_id)
    strangers = (
        moderator(ANA),
        moderator(RUI),
        moderator("boss", "mr-b", "mail.admin"),
        moderator("boss", "mr-a", "document.admin"),
    )
    for stranger in strangers:
        assert not await listed(stranger, message_id)
        for call in (
            stranger.GetModerated(pb.GetModeratedRequest(moderation_id=waiting.moderation_id)),
            stranger.ApproveModerated(approval(waiting.moderation_id)),
            stranger.RejectModerated(rejection(waiting.moderation_id)),
        ):
            with refused("NOT_FOUND"):
                await call
    await moderator("boss", "mr-a", "mail.admin").ApproveModerated(approval(waiting.moderation_id))
    assert await mail.letter(NUNO, mark)


async def test_a_rejected_mail_goes_to_nobody_and_its_sender_hears_why(
    mail: Mail, caller: As, moderator: As, refused: Any
) -> None:
    mark = marker()
    message_id = await submitted(caller, [NEWS], mark)
    waiting = await waits(moderator(EVA), message_id)
    for _ in range(2):
        await moderator(EVA).RejectModerated(rejection(waiting.moderation_id, "not for all of us"))
    report = await mail.letter(ANA, mark)
    assert b"Status: 5.7.1" in report
    assert b"Action: failed" in report
    assert b"not for all of us" in report
    assert EVA.encode() not in report
    with refused("ABORTED", "DECIDED"):
        await moderator(DORA).ApproveModerated(approval(waiting.moderation_id))
    (traced,) = await found(caller(ANA), message_id)
    assert [(o.state, o.decided_by) for o in traced.outcomes] == [(BOUNCED, EVA)]
    assert not mail.letters(NUNO, mark)

    silent = marker()
    await asyncio.to_thread(mail.send, "", [NEWS], b"From: x@a.test\r\nX-Mark: " + silent + b"\r\n\r\nx\r\n")

    async def of_nobody() -> list[pb.ModeratedMail]:
        page = await moderator(EVA).ListModerated(pb.ListModeratedRequest())
        return [each for each in page.mails if not each.sender]

    (nobodys,) = await until(of_nobody)
    await moderator(EVA).RejectModerated(rejection(nobodys.moderation_id))
    assert not mail.letters(ANA, silent)


async def test_what_nobody_decides_in_time_is_given_up_and_its_sender_told(
    mail: Mail, caller: As, moderator: As, refused: Any
) -> None:
    mark = marker()
    message_id = await submitted(caller, [NEWS], mark)
    waiting = await waits(moderator(EVA), message_id)
    left = waiting.expires_at.ToDatetime(UTC) - waiting.accepted_at.ToDatetime(UTC)
    assert timedelta(days=5) <= left < timedelta(days=5, minutes=5)
    await make_all_due(mail)  # too early: it is looked at, and waits on
    await let_expire(mail, message_id)
    assert b"Status: 5.4.7" in await mail.letter(ANA, mark)
    assert not await listed(moderator(EVA), message_id)
    with refused("ABORTED", "DECIDED"):
        await moderator(EVA).ApproveModerated(approval(waiting.moderation_id))
    assert not mail.letters(NUNO, mark)


async def let_expire(mail: Mail, message_id: str) -> None:
    """What the clock does in five days."""
    environment = mail.program.environment()
    database = store.connect(environment["MONGODB_URI"], environment["MONGODB_DATABASE"])
    past = datetime.now(UTC) - timedelta(minutes=1)
    change = {"$set": {"due": past, "deliveries.0.until": past}}
    await database.collection("deliveries").update(f"{message_id}/0", change)
    await database.close()


async def test_known_senders_need_no_approval_and_who_only_says_so_does(mail: Mail, caller: As, moderator: As) -> None:
    mark = marker()
    await submitted(caller, [NEWS], mark, sender=EVA)
    assert await mail.letter(NUNO, mark)
    by_known = marker()
    message_id = await submitted(caller, [AROUND], by_known, sender=NUNO)
    assert await mail.letter("mr-c2", by_known)
    assert await mail.letter(RUI, by_known)
    inner = await waits(moderator(DORA), message_id)
    assert inner.waits_for == DIGEST, "known to the one list and not to the other"
    forged = marker()
    await asyncio.to_thread(mail.send, address(EVA), [NEWS], b"From: x@a.test\r\nX-Mark: " + forged + b"\r\n\r\nx\r\n")
    await until(lambda: [each for each in mail.letters(DORA, b"postmaster@") if address(EVA).encode() in each])
    assert not mail.letters(NUNO, forged)


async def test_a_nested_moderated_list_waits_for_its_own_part(mail: Mail, caller: As, moderator: As) -> None:
    mark = marker()
    message_id = await submitted(caller, [AROUND], mark)
    assert await mail.letter("mr-c2", mark)
    waiting = await waits(moderator(EVA), message_id)
    assert waiting.waits_for == NEWS
    assert not mail.letters(NUNO, mark)
    answer = await caller(ANA).Resolve(service_pb2.ResolveRequest(sender=address(ANA), recipient=AROUND))
    assert ("moderated", NEWS, 'waits for moderators of "mr-news"') in [
        (step.kind, step.subject, step.result) for step in answer.steps
    ]
    assert [(to.kind, to.address) for to in answer.destinations] == [
        ("mailbox", "mr-c2@mr-c.test"),
        ("list", NEWS),
    ]
    await moderator(EVA).RejectModerated(rejection(waiting.moderation_id))


async def test_what_a_rule_holds_is_decided_by_the_group_it_names_or_by_administrators(
    mail: Mail, caller: As, moderator: As, refused: Any
) -> None:
    boss = moderator("admin-mr-a", "mr-a", "mail.admin")
    mark, other = marker(), marker()
    named = rule("judged", {"header X-Mark": mark.decode(), "recipient": "mr-nuno@*"}, ("hold", "odd", "mr-judges"))
    unnamed = rule("looked at", {"header X-Mark": other.decode()}, ("hold", "odd"))
    with refused("INVALID_ARGUMENT", "RULE_ACTION"):
        await put(admin(caller), rule("nobody", {}, ("hold", "odd", "no-such-group")))
    async with ruled(caller, named, unnamed):
        message_id = await submitted(caller, [address(NUNO), address(RUI)], mark)
        assert await mail.letter(RUI, mark)
        other_id = await submitted(caller, [address(NUNO)], other)
        waiting = await waits(moderator(DORA), message_id)
        assert waiting.waits_for == "odd"
        assert address(ANA) in await notice(mail, DORA, waiting.moderation_id)
        with refused("NOT_FOUND"):
            await moderator(EVA).ApproveModerated(approval(waiting.moderation_id))
        await waits(boss, message_id)
        unjudged = await waits(boss, other_id)
        assert not await listed(moderator(DORA), other_id)
        page = await admin(caller).ListQuarantine(rules_pb2.ListQuarantineRequest(page_size=1000))
        assert not {message_id, other_id} & {each.message_id for each in page.mails}
        release = rules_pb2.ReleaseQuarantinedRequest(request_id=uuid4().hex, quarantine_id=f"{other_id}/0")
        with refused("NOT_FOUND"):
            await admin(caller).ReleaseQuarantined(release)
        await moderator(DORA).ApproveModerated(approval(waiting.moderation_id))
        await boss.ApproveModerated(approval(unjudged.moderation_id))
        for each in (mark, other):
            assert await mail.letter(NUNO, each)
        ends_once(mail, mark, RUI)


@pytest.mark.slow
async def test_each_gets_it_once_wherever_the_process_dies(mail: Mail, caller: As, moderator: As) -> None:
    """The list has 1,500 members, which are two shards; who sent the decision repeats it until it has an answer."""
    mark = marker()
    message_id = await submitted(caller, [CROWDED], mark)
    waiting = await waits(moderator(EVA), message_id)
    await asyncio.to_thread(mail.program.stop)
    points = (
        "mail.moderation.deciding",
        "mail.moderation.decided",
        "mail.moderation.planned:2",
        "mail.resume.recorded",
        "mail.moderation.released",
    )
    for point in points:
        mail.program.settings["ROSSIO_KILL_AT"] = point
        await asyncio.to_thread(mail.program.launch)
        async with asyncio.timeout(90):
            while mail.program.exit_code is None:
                if "deciding" in point or "decided" in point:
                    await decided(moderator(EVA), waiting.moderation_id)
                await make_all_due(mail)
                await asyncio.sleep(0.1)
        assert f"killed at {point.partition(':')[0]}" in mail.program.output()
    del mail.program.settings["ROSSIO_KILL_AT"]
    await asyncio.to_thread(mail.program.start)
    crowd = [f"mr-c{n}" for n in range(CROWD)]

    async def arrived() -> bool:
        await make_all_due(mail)
        return all(mail.letters(each, mark) for each in crowd)

    await until(arrived, 90)
    ends_once(mail, mark, *crowd)
    await moderator(EVA).ApproveModerated(approval(waiting.moderation_id))
    outcomes = [o for t in await found(caller(ANA), message_id) for o in t.outcomes if o.state == DELIVERED]
    assert len(outcomes) == CROWD + 1


async def decided(stub: Any, moderation_id: str) -> None:
    """Asks for it; the process may die under it, or not listen yet."""
    with suppress(grpc.aio.AioRpcError):
        await stub.ApproveModerated(approval(moderation_id), timeout=2)
