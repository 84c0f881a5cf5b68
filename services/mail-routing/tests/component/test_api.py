"""Submit, Resolve and Trace by gRPC, deferral and retry, and what telemetry must not say."""

import asyncio
import email
import json
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import messaging
import pytest
import store
from mail_routing.entrypoints.smtp.grammar import Reply
from rossio.mail.v1 import events_pb2
from rossio.mail.v1 import service_pb2 as pb

from .asking import found, looks, request, trace  # type: ignore[import-not-found]  # "mail-routing" is no module name
from .conftest import (  # type: ignore[import-not-found]
    TRUSTED,
    As,
    Mail,
    address,
    marker,
    sinking,
    until,
)

ANA, RUI, EVA = "mr-ana", "mr-rui", "mr-eva"
DELIVERED, DEFERRED = events_pb2.DELIVERY_STATE_DELIVERED, events_pb2.DELIVERY_STATE_DEFERRED


async def test_the_same_request_is_one_mail(mail: Mail, caller: As) -> None:
    mark = marker()
    ana = caller(ANA)
    wanted = request(address(ANA), [address(RUI), address(EVA)], mark)
    first, second = await asyncio.gather(ana.Submit(wanted), ana.Submit(wanted))
    third = await ana.Submit(wanted)
    assert first.message_id == second.message_id == third.message_id
    other = await ana.Submit(request(address(ANA), [address(RUI)], after := marker()))
    assert other.message_id != first.message_id
    await mail.letter(RUI, after)
    letter = await mail.letter(RUI, mark)
    for added in (b"Message-ID: <" + first.message_id.encode() + b"@mx.rossio.test>\r\n", b"Date: ", b"Delivered-To: "):
        assert letter.count(added) == 1
    assert await mail.letter(EVA, mark)


async def test_a_person_sends_from_their_own_addresses_and_a_service_from_its_own(
    mail: Mail, caller: As, refused: Any
) -> None:
    with refused("PERMISSION_DENIED", "SENDER_NOT_YOURS"):
        await caller(ANA).Submit(request(address(RUI), [address(EVA)], marker()))
    service = caller("notification", kind="service")
    with refused("PERMISSION_DENIED", "SENDER_NOT_YOURS"):
        await service.Submit(request("director@mr-a.test", [address(EVA)], marker()))
    mark = marker()
    await service.Submit(
        request("no-reply@mr-a.test", [address(EVA)], mark, **{"class": events_pb2.MESSAGE_CLASS_URGENT})
    )
    assert await mail.letter(EVA, mark)
    with refused("PERMISSION_DENIED", "CLASS_NOT_ALLOWED"):
        await caller(ANA).Submit(
            request(address(ANA), [address(EVA)], mark, **{"class": events_pb2.MESSAGE_CLASS_URGENT})
        )


async def test_what_cannot_be_mail_is_refused_whole(mail: Mail, caller: As, refused: Any) -> None:
    ana = caller(ANA)
    with refused("INVALID_ARGUMENT", "RECIPIENT_REFUSED"):
        await ana.Submit(request(address(ANA), [address(RUI), "nobody@mr-a.test"], marker()))
    with refused("INVALID_ARGUMENT", "MALFORMED_MAIL"):
        await ana.Submit(request(address(ANA), [address(RUI)], marker(), content=b"no header\r\n"))
    with refused("INVALID_ARGUMENT", "BARE_LINE_END"):
        await ana.Submit(request(address(ANA), [address(RUI)], marker(), content=b"a: b\r\n\r\nbare\nlf\r\n"))
    with refused("INVALID_ARGUMENT", "MAIL_LOOP"):
        await ana.Submit(request(address(ANA), [address(RUI)], marker(), content=b"Received: x\r\n" * 60 + b"\r\n"))


async def test_resolve_explains_with_the_code_of_the_route(mail: Mail, caller: As) -> None:
    answer = await caller(ANA).Resolve(pb.ResolveRequest(sender=address(ANA), recipient="mr-team@mr-a.test"))
    assert [step.kind for step in answer.steps] == ["list", "list", "cycle"]
    assert {(d.address, d.kind) for d in answer.destinations} == {(address(RUI), "mailbox"), (address(EVA), "mailbox")}
    assert answer.destination_count == 2
    everybody = await caller(ANA).Resolve(pb.ResolveRequest(recipient="everybody@mr-c.test"))
    assert (len(everybody.destinations), everybody.destination_count) == (1000, 1500)
    board = await caller(ANA).Resolve(pb.ResolveRequest(sender=address(ANA), recipient="mr-board@mr-a.test"))
    assert board.destinations[0].kind == "refused"
    for sender, outside in ((address(ANA), True), ("x@else.test", False)):
        relayed = pb.ResolveRequest(sender=sender, recipient="y@sink.test", outside=outside)
        answer = await caller(ANA).Resolve(relayed)
        assert [(step.kind, step.result[:5]) for step in answer.steps] == [("outside", "is no"), ("elsewhere", "5.7.1")]


async def test_trace_shows_to_each_what_is_theirs(mail: Mail, caller: As, streams: str, refused: Any) -> None:
    mark = marker()
    to = [address(RUI), "mr-eva+tag@mr-b.test"]
    message_id = (await caller(ANA).Submit(request(address(ANA), to, mark))).message_id
    (whole,) = await found(caller(ANA), message_id)
    assert [(o.address, o.original, o.state, o.status) for o in whole.outcomes] == [
        (address(RUI), address(RUI), DELIVERED, "2.0.0"),
        (address(EVA), "mr-eva+tag@mr-b.test", DELIVERED, "2.0.0"),
    ]
    assert whole.origin == "grpc"
    (mine,) = await trace(caller(EVA), message_id=message_id)
    assert [o.address for o in mine.outcomes] == [address(EVA)]
    assert [t.message_id for t in await trace(caller(EVA), recipient=address(EVA), limit=1)] == [message_id]
    assert message_id in [t.message_id for t in await trace(caller(ANA), sender=address(ANA))]
    nobody = caller("mr-nuno")
    with refused("NOT_FOUND"):
        await trace(nobody, message_id=message_id)
    assert await trace(nobody, sender=address(ANA)) == []
    assert await trace(nobody, recipient=address(EVA)) == []
    with refused("NOT_FOUND"):
        await trace(caller("stranger", entity="mr-c", roles=["mail.admin"]), message_id=message_id)
    with refused("NOT_FOUND"):
        await trace(caller("notification", kind="service"), message_id=message_id)
    before = await looks(streams, message_id)
    assert before == []
    (seen,) = await trace(caller("mr-nuno", roles=["mail.admin"]), message_id=message_id)
    assert [o.address for o in seen.outcomes] == [address(EVA)]
    assert message_id in [t.message_id for t in await trace(caller("boss", entity="mr-a", roles=["mail.admin"]))]
    assert [(a.actor, a.actor_entity_id, a.action) for a in await looks(streams, message_id)] == [
        ("mr-nuno", "mr-b", "mail.message.trace"),
        ("boss", "mr-a", "mail.message.trace"),
    ]


async def test_an_administrator_who_has_the_mail_too_sees_the_others_by_office(
    mail: Mail, caller: As, streams: str
) -> None:
    mark = marker()
    message_id = (await caller(EVA).Submit(request(address(EVA), [address(ANA), address(RUI)], mark))).message_id
    await found(caller(EVA), message_id)
    (own,) = await trace(caller(ANA), message_id=message_id)
    assert [o.address for o in own.outcomes] == [address(ANA)]
    assert await looks(streams, message_id) == []
    (by_office,) = await trace(caller(ANA, roles=["mail.admin"]), message_id=message_id)
    assert [o.address for o in by_office.outcomes] == [address(ANA), address(RUI)]
    assert [a.actor for a in await looks(streams, message_id)] == [ANA]


async def test_what_somebody_has_sent_since_hides_no_mail_that_they_had(mail: Mail, caller: As) -> None:
    had = (await caller(RUI).Submit(request(address(RUI), [address(ANA)], marker()))).message_id
    await found(caller(RUI), had)
    sent = (await caller(ANA).Submit(request(address(ANA), [address(EVA)], marker()))).message_id
    await found(caller(ANA), sent)
    assert [t.message_id for t in await trace(caller(ANA), recipient=address(ANA), limit=1)] == [had]


async def test_what_went_to_a_list_is_found_by_the_list(mail: Mail, caller: As) -> None:
    message_id = (await caller(ANA).Submit(request(address(ANA), ["mr-team@mr-a.test"], marker()))).message_id
    await found(caller(ANA), message_id)
    (whole,) = await trace(caller(ANA), recipient="mr-team@mr-a.test", sender=address(ANA), limit=1)
    assert whole.message_id == message_id
    assert {(o.address, o.original) for o in whole.outcomes} == {
        (address(RUI), "mr-team@mr-a.test"),
        (address(EVA), "mr-team@mr-a.test"),
    }
    (attempt,) = whole.outcomes[0].history
    assert (attempt.state, attempt.target, bool(attempt.at.seconds)) == (DELIVERED, "mr-a/mr-rui", True)
    mine = await trace(caller(EVA), recipient="mr-team@mr-a.test")
    assert [o.address for o in mine[0].outcomes] == [address(EVA)]


async def test_a_mail_is_found_by_its_message_id_by_those_who_may_see_it(
    mail: Mail, caller: As, streams: str, refused: Any
) -> None:
    named = f"{uuid4().hex}+Ünique/=@mail.else.test"
    content = f"Message-ID:\r\n <{named}>\r\nSubject: hello\r\n\r\nhello\r\n".encode()
    for recipient in (address(RUI), address(EVA)):  # a list server hands in one by one
        mail.send("x@else.test", [recipient], content)
    submitted = (await caller(ANA).Submit(request(address(ANA), [address(RUI)], b"", content=content))).message_id
    for question in (named, f"<{named}>", f" <{named}>\n"):
        (mine,) = await found(caller(EVA), internet_message_id=question)
        assert (mine.internet_message_id, [o.address for o in mine.outcomes]) == (named, [address(EVA)])

    async def both() -> bool:
        return len(await found(caller(RUI), internet_message_id=named)) == 2

    await until(both)
    (sent,) = await found(caller(ANA), internet_message_id=named)
    assert sent.message_id == submitted
    (one,) = await trace(caller(RUI), internet_message_id=named, sender=address(ANA))
    assert one.message_id == submitted
    with refused("NOT_FOUND"):
        await trace(caller(RUI), internet_message_id=named, recipient=address(EVA))
    with refused("NOT_FOUND"):
        await trace(caller(RUI), internet_message_id="another@else.test", message_id=submitted)
    for stranger in (
        caller("mr-nuno"),
        caller("stranger", entity="mr-c", roles=["mail.admin"]),
        caller("notification", kind="service"),
    ):
        with refused("NOT_FOUND"):
            await trace(stranger, internet_message_id=named)
    assert await looks(streams, mine.message_id) == []
    (seen,) = await trace(caller("mr-nuno", roles=["mail.admin"]), internet_message_id=named)
    assert seen.message_id == mine.message_id
    (look,) = await looks(streams, mine.message_id)
    assert (look.actor, look.action, look.resource) == ("mr-nuno", "mail.message.trace", mine.message_id)


async def test_a_mail_without_a_message_id_is_found_by_the_one_that_it_gets(mail: Mail, caller: As) -> None:
    mark = marker()
    message_id = (await caller(ANA).Submit(request(address(ANA), [address(RUI)], mark))).message_id
    (answer,) = await found(caller(RUI), internet_message_id=f"<{message_id}@mx.rossio.test>")
    assert answer.message_id == message_id
    assert f"Message-ID: <{answer.internet_message_id}>\r\n".encode() in await mail.letter(RUI, mark)


async def test_a_report_of_ours_is_found_by_its_message_id(mail: Mail, caller: As) -> None:
    unknown = {"gone@sink.test": Reply(550, "5.1.1", "No such user")}
    async with sinking(mail.sink_port, **unknown):
        message_id = (await caller(ANA).Submit(request(address(ANA), ["gone@sink.test"], marker()))).message_id
        letters = await until(lambda: mail.letters(ANA, f"Message-ID: <{message_id}.dsn".encode()))
    named = email.message_from_bytes(letters[0])["Message-ID"]
    (answer,) = await found(caller(ANA), internet_message_id=named)
    assert (answer.origin, f"<{answer.internet_message_id}>") == ("dsn", named)


@pytest.mark.parametrize(
    "field", [b"Message-ID:", b"Message-ID: <>", b"Message-ID: <\x1b[2J@x>", b"Message-ID: <\xff>\r\n" * 3]
)
async def test_a_message_id_that_names_nothing_harms_no_mail(mail: Mail, caller: As, field: bytes) -> None:
    mark = marker()
    content = field.strip() + b"\r\nX-Mark: " + mark + b"\r\n\r\nhello\r\n"
    message_id = (await caller(ANA).Submit(request(address(ANA), [address(RUI)], mark, content=content))).message_id
    assert await mail.letter(RUI, mark)
    (answer,) = await found(caller(ANA), message_id=message_id)
    assert answer.internet_message_id in {"", "\N{REPLACEMENT CHARACTER}"}


async def test_a_very_long_message_id_is_found_by_its_beginning(mail: Mail, caller: As) -> None:
    mark = marker()
    named = mark.decode() + "x" * 10_240
    content = b"From: " + address(ANA).encode() + b"\r\nMessage-ID: <" + named.encode() + b">\r\n\r\n"
    message_id = (await caller(ANA).Submit(request(address(ANA), [address(RUI)], mark, content=content))).message_id
    (answer,) = await found(caller(ANA), internet_message_id=f"<{named[:1000]}>")
    assert (answer.message_id, answer.internet_message_id) == (message_id, named[:256])


@pytest.mark.parametrize("named", ["<>", " ", "\0", "\x1b@a.test"])
async def test_what_is_no_message_id_finds_nothing(mail: Mail, caller: As, named: str, refused: Any) -> None:
    with refused("INVALID_ARGUMENT", "MALFORMED_MESSAGE_ID"):
        await trace(caller(ANA), internet_message_id=named)


async def make_due(mail: Mail, message_id: str) -> None:
    """What the clock does in minutes."""
    environment = mail.program.environment()
    database = store.connect(environment["MONGODB_URI"], environment["MONGODB_DATABASE"])
    past = datetime.now(UTC) - timedelta(minutes=1)
    await database.collection("deliveries").update(f"{message_id}/0", {"$set": {"due": past}, "$inc": {"version": 0}})
    await database.close()


async def test_what_is_deferred_is_taken_up_again_and_delivered_once(mail: Mail, caller: As) -> None:
    mark = marker()
    to = ["later@sink.test", address(RUI)]
    message_id = (await caller(ANA).Submit(request(address(ANA), to, mark))).message_id
    (waiting,) = await found(caller(ANA), message_id)
    assert [(o.state, o.status, o.attempts) for o in waiting.outcomes] == [
        (DEFERRED, "4.4.1", 1),
        (DELIVERED, "2.0.0", 1),
    ]

    async def second() -> bool:
        (now,) = await trace(caller(ANA), message_id=message_id)
        return bool(now.outcomes[0].attempts >= 2 and now.outcomes[0].state == DELIVERED)

    async with sinking(mail.sink_port) as sink, asyncio.timeout(60):
        while not await second():
            await make_due(mail, message_id)
            await asyncio.sleep(1)
    assert len(sink.with_marker(mark)) == 1
    assert len(mail.letters(RUI, mark)) == 1


async def test_what_became_of_a_mail_is_told_as_facts(mail: Mail, caller: As, streams: str) -> None:
    message_id = (await caller(ANA).Submit(request(address(ANA), [address(RUI)], marker()))).message_id
    facts: dict[str, events_pb2.DeliveryReported] = {}

    async def take(deliveries: Sequence[messaging.Delivery]) -> None:
        for delivery in deliveries:
            if isinstance(delivery.message, events_pb2.DeliveryReported) and delivery.message.message_id == message_id:
                facts[delivery.id] = delivery.message

    follower = messaging.Follower(messaging.Kafka(streams), ["mail.delivery.v1"], take)
    await follower.start()
    await until(lambda: facts)
    await follower.stop()
    (fact,) = facts.values()
    assert fact.entity_id == "mr-a"
    (outcome,) = fact.outcomes
    assert (outcome.person_id, outcome.entity_id, outcome.state) == (RUI, "mr-a", DELIVERED)


async def test_a_record_that_comes_again_tells_again_what_became_of_the_mail(
    mail: Mail, caller: As, streams: str
) -> None:
    """Whoever recorded it may have died before it was told; the repeat has the same id."""
    mark, accepted = marker(), list[events_pb2.MessageAccepted]()
    told: list[str] = []
    message_id = (await caller(ANA).Submit(request(address(ANA), [address(RUI)], mark))).message_id

    async def take(deliveries: Sequence[messaging.Delivery]) -> None:
        for delivery in (one for one in deliveries if one.record.key == message_id.encode()):
            if isinstance(delivery.message, events_pb2.MessageAccepted):
                accepted.append(delivery.message)
            else:
                told.append(delivery.id)

    follower = messaging.Follower(messaging.Kafka(streams), ["mail.message.v1", "mail.delivery.v1"], take)
    await follower.start()
    await until(lambda: accepted and told)
    producer = messaging.Producer(messaging.Kafka(streams))
    await producer.start()
    again = messaging.fact(accepted[0], id=messaging.new_id(), at=datetime.now(UTC), stream="mail.message.v1")
    await producer.publish([again])
    await producer.stop()
    await until(lambda: len(told) == 2)
    await follower.stop()
    assert len(set(told)) == 1
    assert len(mail.letters(RUI, mark)) == 1


async def test_no_address_subject_or_person_is_in_logs_or_metrics(mail: Mail, caller: As, refused: Any) -> None:
    mark = marker()
    canary = "canary" + mark.decode()[:8]
    content = (
        f"From: {canary}@else.test\r\nSubject: {canary}\r\nMessage-ID: <{canary}>\r\nX-Mark: ".encode()
        + mark
        + b"\r\n\r\n"
        + canary.encode()
    )
    mail.send(f"{canary}@else.test", [f"mr-rui+{canary}@mr-a.test"], content)
    mail.send(f"{canary}@else.test", [f"{canary}@sink.test", address(RUI)], content, TRUSTED)
    with pytest.raises(Exception, match=r"5\.1\.1"):
        mail.send(f"{canary}@else.test", [f"{canary}@mr-a.test"], content)
    with refused("PERMISSION_DENIED"):
        await caller(ANA).Submit(request(f"{canary}@mr-a.test", [address(RUI)], mark))
    await until(lambda: len(mail.letters(RUI, mark)) == 2)
    assert await found(caller(RUI), internet_message_id=canary)
    with refused("NOT_FOUND"):
        await trace(caller(EVA), internet_message_id=canary)
    metrics = await asyncio.to_thread(_get, f"http://{mail.program.admin}/metrics")
    said = mail.program.output()
    for text in (metrics, said):
        for secret in (canary, "@", "mr-rui", "mr-ana"):
            assert secret not in text
    assert 'rossio_mail_accepted_total{channel="smtp",lane="normal"}' in metrics
    assert json.loads(said.splitlines()[0])["service"] == "mail-routing"


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read(), "utf-8")
