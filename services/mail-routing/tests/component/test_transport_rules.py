"""Transport rules on mail that flows: made by gRPC, in force within seconds, explained, kept back and let go."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from rossio.mail.v1 import events_pb2, service_pb2
from rossio.mail.v1 import rules_pb2 as pb

from .asking import admin, found, in_force, looks_after, put, request, rule, ruled, trace  # type: ignore[import-not-found]  # "mail-routing" is no module name
from .conftest import TRUSTED, As, Mail, address, marker, sinking, until  # type: ignore[import-not-found]

ANA, RUI, EVA, NUNO = "mr-ana", "mr-rui", "mr-eva", "mr-nuno"
DELIVERED, BOUNCED = events_pb2.DELIVERY_STATE_DELIVERED, events_pb2.DELIVERY_STATE_BOUNCED
QUARANTINED, DROPPED = events_pb2.DELIVERY_STATE_QUARANTINED, events_pb2.DELIVERY_STATE_DROPPED


async def test_a_rule_is_made_changed_removed_and_its_past_stays(
    mail: Mail, caller: As, streams: str, refused: Any
) -> None:
    stub = admin(caller)
    wanted = pb.PutRuleRequest(request_id=uuid4().hex, rule=rule("first", {"sender": "x@*"}, ("stop",)))
    made, again = (await stub.PutRule(wanted)).rule, (await stub.PutRule(wanted)).rule
    assert made == again
    changed = pb.Rule()
    changed.CopyFrom(made)
    changed.name = "second"
    assert (await put(stub, changed)).version > made.version
    later = await put(stub, rule("later", {}, ("add-header", "x", "X-Later"), priority=7))
    listed = await stub.GetRules(pb.GetRulesRequest())
    assert [each.name for each in listed.rules] == ["second", "later"]
    with refused("NOT_FOUND"):
        await put(admin(caller, "mr-b"), changed)
    with refused("NOT_FOUND"):
        await put(stub, rule("all", {}, ("stop",)), central=True)
    with refused("INVALID_ARGUMENT", "RULE_ACTION"):
        await put(stub, rule("bad", {}, ("redirect", "nobody")))
    with refused("PERMISSION_DENIED", "ROLE"):
        await put(caller(ANA), changed)
    for each in (made, later):
        await stub.RemoveRule(pb.RemoveRuleRequest(request_id=uuid4().hex, rule_id=each.rule_id))
    past = await stub.GetRules(pb.GetRulesRequest(history=True))
    assert list(past.rules) == []
    about = [(each.name, each.removed) for each in past.history if each.rule_id == made.rule_id]
    assert about == [("first", False), ("second", False), ("second", True)]
    told = [each.action for each in await looks_after(streams, made.rule_id, 3)]
    assert told == ["mail.rule.put", "mail.rule.put", "mail.rule.remove"]


async def test_one_mail_is_treated_by_recipient_and_each_decision_is_kept(mail: Mail, caller: As) -> None:
    """Rejected for one, redirected for another, marked and copied for the third; the fourth has it as it was."""
    mark = marker()
    on = {"header X-Mark": mark.decode()}
    rules = (
        rule("no eva", {**on, "recipient": address(EVA)}, ("reject", "not for you")),
        rule("nuno away", {**on, "recipient": address(NUNO)}, ("redirect", "mr-c1@mr-c.test"), priority=1),
        rule(
            "outside",
            {**on, "direction": "out"},
            ("add-header", "yes", "X-Outside"),
            ("disclaimer", "Só para o destinatário."),
            ("bcc", "mr-c2@mr-c.test"),
            priority=2,
        ),
    )
    async with ruled(caller, *rules), sinking(mail.sink_port) as sink:
        to = [address(RUI), address(EVA), address(NUNO), "far@sink.test"]
        message_id = (await caller(ANA).Submit(request(address(ANA), to, mark))).message_id
        await until(lambda: sink.with_marker(mark))
        assert b"X-Outside" not in await mail.letter(RUI, mark)
        assert await mail.letter("mr-c1", mark)
        copy = await mail.letter("mr-c2", mark)
        assert await mail.letter(ANA, b"not for you")  # the bounce

        async def ended() -> list[Any]:
            shards = await trace(caller(ANA), message_id=message_id)
            outcomes = [outcome for shard in shards for outcome in shard.outcomes]
            return shards if len(outcomes) == 5 and all(o.state in {DELIVERED, BOUNCED} for o in outcomes) else []

        shards = await until(ended)
    ((_, _, relayed),) = sink.with_marker(mark)
    for letter in (relayed, copy):
        assert b"X-Outside: yes\r\n" in letter
        assert "Só para".encode() not in letter  # quoted-printable
        assert b"S=C3=B3 para" in letter
    decided = {(d.name, d.actions) for shard in shards for d in shard.decisions}
    assert decided == {
        ("no eva", "reject not for you"),
        ("nuno away", "redirect mr-c1@mr-c.test"),
        ("outside", "add-header X-Outside yes, disclaimer Só para o destinatário., bcc mr-c2@mr-c.test"),
    }
    assert not mail.letters(EVA, mark)
    assert not mail.letters(NUNO, mark)


async def test_a_mail_that_needs_tls_goes_to_no_server_without(mail: Mail, caller: As) -> None:
    mark = marker()
    wanted = rule("tls", {"header X-Mark": mark.decode()}, ("require-tls",))
    async with ruled(caller, wanted), sinking(mail.sink_port) as sink:
        to = ["far@sink.test", address(RUI)]
        message_id = (await caller(ANA).Submit(request(address(ANA), to, mark))).message_id
        assert await mail.letter(RUI, mark)  # our own mailboxes are no next hop
        (traced,) = await found(caller(ANA), message_id)
    states = {outcome.address: outcome.state for outcome in traced.outcomes}
    assert states == {"far@sink.test": events_pb2.DELIVERY_STATE_DEFERRED, address(RUI): DELIVERED}
    assert not sink.with_marker(mark)


async def test_the_ministry_and_the_recipients_entity_have_their_say(mail: Mail, caller: As) -> None:
    mark = marker()
    central = caller("minister", entity="mr-b", roles=["mail.admin", "ministry.admin"])
    everywhere = await put(
        central, rule("central", {"subject": "by grpc"}, ("add-header", "1", "X-Central")), central=True
    )
    theirs = await put(admin(caller, "mr-b"), rule("b in", {"direction": "in"}, ("add-header", "2", "X-B")))
    inside = await put(admin(caller, "mr-b"), rule("b inside", {"direction": "inside"}, ("add-header", "3", "X-In")))
    await in_force(admin(caller), "central")
    # The last of b's rules is in force when the book of b is.
    answer = None
    async with asyncio.timeout(30):
        while answer is None or "b inside" not in str(answer.steps):
            answer = await admin(caller).Resolve(
                service_pb2.ResolveRequest(sender=address(ANA), recipient=address(EVA))
            )
    await caller(ANA).Submit(request(address(ANA), [address(EVA)], mark))
    letter = await mail.letter(EVA, mark)
    assert b"X-Central: 1\r\nX-In: 3\r\n" in letter
    assert b"X-B" not in letter
    await central.RemoveRule(pb.RemoveRuleRequest(request_id=uuid4().hex, rule_id=everywhere.rule_id, central=True))
    for each in (theirs, inside):
        await admin(caller, "mr-b").RemoveRule(pb.RemoveRuleRequest(request_id=uuid4().hex, rule_id=each.rule_id))
    await in_force(admin(caller), "central", there=False)


async def test_what_is_kept_back_is_let_go_or_dropped_by_its_own_administrators(
    mail: Mail, caller: As, streams: str, refused: Any
) -> None:
    first, second = marker(), marker()
    wanted = rule("exe", {"body": "hello", "recipient": "mr-nuno@*"}, ("quarantine", "looks dangerous"))
    stub = admin(caller)
    async with ruled(caller, wanted):
        ids = []
        for mark in (first, second):
            to = [address(NUNO), address(RUI)]
            ids.append((await caller(ANA).Submit(request(address(ANA), to, mark))).message_id)
            assert await mail.letter(RUI, mark)  # the others have it

    async def kept() -> dict[str, Any]:
        page = await stub.ListQuarantine(pb.ListQuarantineRequest(page_size=100))
        return {each.message_id: each for each in page.mails if each.message_id in ids}

    async def both() -> dict[str, Any]:
        found = await kept()
        return found if len(found) == 2 else {}

    held = await until(both)
    assert {each.reason for each in held.values()} == {"looks dangerous"}
    assert [o.address for o in held[ids[0]].outcomes] == [address(NUNO)]
    assert not mail.letters(NUNO, first)
    release = pb.ReleaseQuarantinedRequest(request_id=uuid4().hex, quarantine_id=held[ids[0]].quarantine_id)
    with refused("NOT_FOUND"):
        await admin(caller, "mr-b").ReleaseQuarantined(release)
    await stub.ReleaseQuarantined(release)
    await stub.ReleaseQuarantined(release)
    assert await mail.letter(NUNO, first)
    await stub.DropQuarantined(
        pb.DropQuarantinedRequest(request_id=uuid4().hex, quarantine_id=held[ids[1]].quarantine_id)
    )
    assert await kept() == {}
    states = {o.address: o.state for t in await found(caller(ANA), ids[1]) for o in t.outcomes}
    assert states == {address(NUNO): DROPPED, address(RUI): DELIVERED}
    assert not mail.letters(NUNO, second)
    actions = {each.action for each in await looks_after(streams, ids[0], 2)}
    assert actions >= {"mail.quarantine.release", "mail.message.trace"}
    history = [
        a.state for t in await found(caller(ANA), ids[0]) for o in t.outcomes for a in o.history if len(o.history) > 1
    ]
    assert history[0] == QUARANTINED
    assert history[-1] == DELIVERED


async def test_resolve_tells_each_rule_and_tries_a_draft_that_is_not_in_force(
    mail: Mail, caller: As, refused: Any
) -> None:
    draft = rule("draft", {"attachment-name": "*.exe"}, ("quarantine", "executable"))
    content = b"Content-Type: application/x-dos\r\nContent-Disposition: attachment; filename=a.EXE\r\n\r\nMZ\r\n"
    wanted = service_pb2.ResolveRequest(sender=address(ANA), recipient=address(RUI), content=content, draft=draft)
    answer = await admin(caller).Resolve(wanted)
    told = [(step.kind, step.result) for step in answer.steps if step.kind != "person"]
    assert told == [("rule", "quarantine executable"), ("treated", "draft: quarantine executable")]
    harmless = service_pb2.ResolveRequest(sender=address(ANA), recipient=address(RUI), draft=draft)
    answer = await admin(caller).Resolve(harmless)
    assert ("rule", "does not hold: attachment-name *.exe") in [(step.kind, step.result) for step in answer.steps]
    with refused("PERMISSION_DENIED", "ROLE"):
        await caller(ANA).Resolve(wanted)
    with refused("INVALID_ARGUMENT", "RULE_ACTION"):
        await admin(caller).Resolve(
            service_pb2.ResolveRequest(
                sender=address(ANA),
                recipient=address(RUI),
                draft=pb.Rule(name="x", actions=[pb.RuleAction(verb="fly")]),
            )
        )


async def preview(stub: Any, draft: pb.Rule, **more: Any) -> tuple[dict[str, list[str]], pb.PreviewSummary]:
    """Recipients by mail, and the summary, which comes last."""
    *found, last = [each async for each in stub.PreviewRule(pb.PreviewRuleRequest(rule=draft, **more))]
    return {each.mail.message_id: list(each.mail.recipients) for each in found}, last.summary


async def test_a_draft_is_tried_on_mail_of_the_past(mail: Mail, caller: As, streams: str, refused: Any) -> None:
    """Small and large mail, to a list, from others; what the rule would do is not done, and each look is audited."""
    word, stub = marker().decode(), admin(caller)
    began = datetime.now(UTC)
    body = f"uma palavra: {word}\r\n".encode()
    large = body + b"0123456789abcde\r\n" * 60_000
    for sender, to, what in (
        (ANA, [address(RUI), address(EVA)], b"Subject: one\r\n\r\n" + body),
        (ANA, ["mr-team@mr-a.test"], b"Subject: two\r\n\r\n" + large),
        (ANA, [address(RUI)], b"Subject: three\r\n\r\nhello\r\n"),
        (EVA, [address(RUI), address(NUNO)], b"Subject: four\r\n\r\n" + body),
        (EVA, [address(NUNO)], b"Subject: five\r\n\r\n" + body),
    ):
        await asyncio.to_thread(mail.send, address(sender), to, what, TRUSTED)
    ended = datetime.now(UTC)
    await asyncio.to_thread(mail.send, address(ANA), [address(RUI)], b"Subject: six\r\n\r\n" + body, TRUSTED)

    draft = rule("draft", {"body": word}, ("reject", "not this word"))
    span = {"since": began, "until": ended}
    found, summary = await preview(stub, draft, **span)
    assert sorted(found.values()) == [[address(RUI)], [address(RUI), address(EVA)], ["mr-team@mr-a.test"]]
    assert (summary.asked, summary.held, summary.unread, summary.more) == (4, 3, 0, False)
    for message_id in found:
        assert "mail.rule.preview" in {each.action for each in await looks_after(streams, message_id, 1)}
    assert len((await preview(stub, draft, since=began))[0]) == 4
    limited = await preview(stub, draft, limit=1, **span)
    assert (len(limited[0]), limited[1].more) == (1, True)
    elsewhere, _ = await preview(admin(caller, "mr-b"), draft, **span)
    theirs = [[address(EVA)], [address(NUNO)], [address(RUI), address(NUNO)], ["mr-team@mr-a.test"]]
    assert sorted(elsewhere.values()) == theirs
    whole, _ = await preview(admin(caller, "mr-a", "ministry.admin"), draft, central=True, **span)
    assert len(whole) == 4
    # A rule in force that ends before it, and one whose place it takes, have their say as they would.
    async with ruled(caller, rule("first", {"subject": "one"}, ("stop",), priority=-1)) as (first,):
        assert len((await preview(stub, draft, **span))[0]) == 2
        draft.rule_id = first.rule_id
        assert len((await preview(stub, draft, **span))[0]) == 3
    await until(lambda: len(mail.letters(RUI, word.encode())) == 4)
    with refused("NOT_FOUND"):
        await preview(stub, draft, central=True)
    with refused("PERMISSION_DENIED", "ROLE"):
        await preview(caller(ANA), draft)
    with refused("INVALID_ARGUMENT", "RULE_ACTION"):
        await preview(stub, rule("x", {}, ("fly",)))


async def test_content_in_the_blob_store_is_read_once_by_rules_and_attempt(mail: Mail, caller: As) -> None:
    mark = marker()
    content = b"From: ana\r\nX-Mark: " + mark + b"\r\n\r\n" + b"0123456789abcde\r\n" * 60_000
    wanted = rule("large", {"body": "0123456789abcde"}, ("add-header", "yes", "X-Read"))
    async with ruled(caller, wanted):
        before = await asyncio.to_thread(octets_read, mail)
        await asyncio.to_thread(mail.send, address(ANA), [address(RUI), address(EVA)], content, TRUSTED)
        for person in (RUI, EVA):
            assert b"X-Read: yes\r\n" in await mail.letter(person, mark)
        assert len(content) <= await asyncio.to_thread(octets_read, mail) - before < 2 * len(content)


def octets_read(mail: Mail) -> int:
    """Of content in the blob store, by this process, so far."""
    return int(mail.program.metric('rossio_blobs_bytes_total{direction="out"}'))
