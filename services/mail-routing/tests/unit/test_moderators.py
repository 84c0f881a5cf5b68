"""Mail that waits for moderators: who decides, what a decision does, what is said of it, and when it is given up."""

import email
import email.policy
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import errors
import pytest
from directory_view import View
from mail_routing.adapters import documents
from mail_routing.adapters.directory import ViewDirectory
from mail_routing.application.after_moderation import AfterModeration
from mail_routing.application.apply_rules import ApplyRules
from mail_routing.application.decide_moderated import DecideModerated, Docket, Said
from mail_routing.application.ports import Deed
from mail_routing.domain import dsn, internet_message_id, moderation, moderation_notice, queue, rule_grammar, treatment
from mail_routing.domain.delivery import Action, Delivery, Onward, Plan, Progress, Result, Shard, State, attempted
from mail_routing.domain.message import Message, MessageClass, Origin, Recipient
from mail_routing.domain.moderation import Decision, Panel
from mail_routing.domain.queue import QueueAction
from mail_routing.domain.route import Destination, Kind, Route
from mail_routing.domain.rules import Action as RuleAction
from mail_routing.domain.rules import Book, Rule, Verb, Verdict
from mail_routing.domain.rules import Decision as RuleDecision
from mail_routing.domain.treatment import MODERATED, Treatment
from rossio.directory.v1 import directory_pb2, events_pb2
from rpc import Caller

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=5)
CONTENT = b"Subject: segredo\r\n\r\nx\r\n"
RULED = Treatment(
    kept_back="odd", held=True, moderators="judges", decisions=(RuleDecision("ea", "r1", 3, "r", "hold odd"),)
)


def message(sender: str = "ana@a.test") -> Message:
    to = (Recipient("news@a.test"),)
    return Message("m1", "ea", sender, to, CONTENT, len(CONTENT), MessageClass.NORMAL, NOW, Origin.GRPC)


def a_list(name: str = "news", *notify: str) -> Destination:
    return Destination(Kind.LIST, f"{name}@b.test", name, f"{name}@b.test", entity_id="eb", notify=notify)


def mailbox(name: str) -> Destination:
    return Destination(Kind.MAILBOX, f"{name}@b.test", f"eb/{name}", f"{name}@b.test", name, "eb")


def shard(*to: Destination, treated: Treatment = MODERATED, sender: str = "ana@a.test") -> Shard:
    """After its first attempt: all of it waits for moderators."""
    fresh = Shard(message(sender), 0, tuple(map(Delivery, to)), NOW, treatment=treated)
    asked = Result(State.PENDING, "4.7.1", treated.kept_back)
    return attempted(fresh, dict.fromkeys(to, asked), NOW, 0.5).shard


def decide(held: Shard, decision: Decision, reason: str = "", at: datetime = NOW) -> Progress:
    return moderation.decided(held, held.pending, decision, "eva", reason, at)


def test_what_is_held_is_due_when_it_is_given_up_and_keeps_its_content() -> None:
    held = shard(a_list(), a_list("other"))
    assert [(each.state, each.until) for each in held.deliveries] == [(State.PENDING, LATER)] * 2
    assert (held.due, held.waiting, held.may_go_on) == (LATER, (), True)
    document = documents.shard_document(held)
    assert document["moderated"] == ["entity:eb", "list:news", "list:other"]
    assert document["content"] == CONTENT
    assert not {"quarantined", "queued", "queued_at"} & document.keys(), "it is in no queue and no quarantine"
    assert moderation.keys(shard(mailbox("rui"), treated=RULED)) == ["entity:ea", "group:judges"]
    assert moderation.keys(shard(mailbox("rui"), treated=replace(RULED, moderators=""))) == ["entity:ea"]


@pytest.mark.parametrize("treated", [MODERATED, RULED])
def test_a_shard_in_each_of_its_states_is_kept_as_it_is(treated: Treatment) -> None:
    to = a_list() if treated is MODERATED else mailbox("rui")
    held = shard(to, treated=treated)
    approved = decide(held, Decision.APPROVE, "fine").shard
    onward = (Onward(MessageClass.BULK, ("m1/p/1", "m1/p/2")),)
    gone = replace(moderation.gone_on(approved, approved.waiting, 2, NOW).shard, onward=onward, due=NOW)
    for each in (held, approved, gone, decide(held, Decision.REJECT, "no").shard):
        kept = documents.shard_document(held) | documents.progress_change(each)["$set"] | {"version": 1}
        for name in documents.progress_change(each)["$unset"]:
            kept.pop(name, None)
        content = CONTENT if each.may_go_on else b""
        assert kept.get("ended_at") == (None if each.may_go_on or each.due else NOW)
        assert documents.shard(kept) == replace(each, message=replace(each.message, content=content))


def test_a_decision_turns_what_waits_once() -> None:
    held = shard(a_list(), a_list("other"))
    (news, _) = held.pending
    progress = moderation.decided(held, [news], Decision.APPROVE, "eva", "fine", NOW)
    (approved, other) = progress.shard.deliveries
    assert (approved.state, approved.by, approved.reply) == (State.DEFERRED, "eva", "Approved: fine")
    assert other.state is State.PENDING
    assert (progress.shard.due, progress.notices) == (NOW, ())
    assert moderation.decision_of(approved) is Decision.APPROVE
    assert moderation.decision_of(other) is None
    rejected = decide(progress.shard, Decision.REJECT, "no")
    assert [each.state for each in rejected.shard.deliveries] == [State.DEFERRED, State.BOUNCED]
    assert [(each.status, each.reply, action) for each, action in rejected.notices] == [
        ("5.7.1", "Not approved by the moderators: no", Action.FAILED)
    ]
    gone = moderation.gone_on(rejected.shard, rejected.shard.waiting, 7, NOW)
    assert (gone.shard.due, gone.shard.may_go_on) == (None, False)
    assert moderation.decision_of(gone.shard.deliveries[0]) is Decision.APPROVE
    assert moderation.decision_of(gone.shard.deliveries[1]) is Decision.REJECT


def test_what_is_approved_has_its_five_days_from_then_on() -> None:
    approved = decide(shard(mailbox("rui"), treated=RULED), Decision.APPROVE, at=LATER).shard
    full = Result(State.DEFERRED, "4.2.2", "Mailbox full")
    again = attempted(approved, {mailbox("rui"): full}, LATER, 0.5)
    assert again.shard.waiting == again.shard.deliveries
    assert again.shard.due is not None
    assert again.notices == (), "nor is it late yet"


def test_a_sender_hears_of_a_rejection_unless_they_asked_not_to_or_are_nobody() -> None:
    def told(held: Shard) -> Message | None:
        return dsn.report(decide(held, Decision.REJECT, "no"), CONTENT, "mx.a.test")

    report = told(shard(a_list()))
    assert report is not None
    assert isinstance(report.content, bytes)
    assert b"Status: 5.7.1" in report.content
    assert b"eva" not in report.content, "by whom is the moderators' affair"
    assert told(shard(a_list("news", "NEVER"))) is None
    assert told(shard(a_list(), sender="")) is None
    looped = replace(shard(mailbox("rui"), treated=RULED))
    bounced = Progress(looped, (), ((replace(looped.deliveries[0], state=State.BOUNCED), Action.FAILED),))
    first = dsn.report(bounced, CONTENT, "mx.a.test")
    second = told(looped)
    assert first is not None
    assert second is not None
    assert first.message_id != second.message_id, "both are of the version of the first attempt"


def test_what_nobody_decides_is_given_up_when_its_time_has_come_and_no_earlier() -> None:
    held = shard(a_list())
    early = moderation.expired(held, LATER - timedelta(milliseconds=1))
    assert (early.changed, early.shard) == ((), held)
    late = moderation.expired(held, LATER)
    assert [(each.state, each.status, each.by) for each in late.changed] == [(State.BOUNCED, "5.4.7", "")]
    assert (late.shard.due, len(late.notices)) == (None, 1)
    assert moderation.decision_of(late.changed[0]) is None


def test_the_queue_leaves_alone_what_waits_for_moderators() -> None:
    held = shard(a_list(), a_list("other"))
    assert all(queue.changed(held, action, NOW) is None for action in QueueAction)
    approved = moderation.decided(held, held.pending[:1], Decision.APPROVE, "eva", "", NOW).shard
    dropped = queue.changed(approved, QueueAction.DROP, NOW)
    assert dropped is not None
    assert [each.state for each in dropped.shard.deliveries] == [State.DROPPED, State.PENDING]
    assert dropped.shard.due == LATER
    stopped = queue.changed(approved, QueueAction.HOLD, NOW)
    assert stopped is not None
    assert decide(stopped.shard, Decision.APPROVE).shard.due is None, "an administrator holds it"


def test_the_notice_says_who_to_whom_until_when_and_nothing_of_the_mail() -> None:
    held = shard(a_list())
    asked = moderation_notice.asking(held, held.deliveries[0], ["eva@b.test", "dora@b.test"], "mx.a.test")
    assert (asked.sender, asked.entity_id, asked.origin) == ("", "eb", Origin.DSN)
    assert [each.address for each in asked.recipients] == ["eva@b.test", "dora@b.test"]
    assert isinstance(asked.content, bytes)
    assert asked.internet_message_id == internet_message_id.of(asked.content) == "m1.news.moderation@mx.a.test"
    parsed: Any = email.message_from_bytes(asked.content, policy=email.policy.default)
    assert parsed["Subject"] == "Mail à espera de moderação / Mail waiting for moderation"
    text = parsed.get_content()
    for said in ("<ana@a.test>", "<news@b.test>", "2026-11-28 12:00 UTC", "moderation approve m1:news", "moderador"):
        assert said in text
    assert b"segredo" not in asked.content
    assert "confirm" not in text
    outside = replace(held, message=replace(held.message, origin=Origin.SMTP))
    doubted = moderation_notice.asking(outside, held.deliveries[0], ["eva@b.test"], "mx.a.test").content
    assert isinstance(doubted, bytes)
    assert doubted.count(b"confirm") == 2, "anybody may say that they are a moderator"
    assert asked == moderation_notice.asking(held, held.deliveries[0], ["eva@b.test", "dora@b.test"], "mx.a.test")
    ruled = shard(mailbox("rui"), treated=RULED)
    parts = [moderation_notice.asking(each, each.deliveries[0], ["x@b.test"], "h") for each in (ruled, ruled)]
    assert {each.message_id for each in parts} == {"m1.r1.moderation"}
    assert isinstance(parts[0].content, bytes)
    assert b"rui" not in parts[0].content


def test_a_rule_holds_for_the_group_it_names_and_a_quarantine_goes_before() -> None:
    hold = RuleAction(Verb.HOLD, "odd", "judges")
    of = treatment.of(Verdict((hold,), RULED.decisions))
    assert of == RULED
    both = treatment.of(Verdict((hold, RuleAction(Verb.QUARANTINE, "danger")), RULED.decisions))
    assert (both.kept_back, both.held, both.moderators) == ("danger", False, "")
    rule_grammar.check(Rule("r", "r", 0, (), (hold,)))
    with pytest.raises(errors.Invalid):
        rule_grammar.check(Rule("r", "r", 0, (), (RuleAction(Verb.QUARANTINE, "danger", "judges"),)))


def test_administrators_are_asked_where_there_is_no_panel() -> None:
    view = View()
    for number, (person_id, entity_id, role) in enumerate(
        [("eva", "eb", ""), ("boss", "eb", "mail.admin"), ("other", "ea", "mail.admin")], 1
    ):
        person = directory_pb2.Person(
            person_id=person_id,
            number=number,
            entity_id=entity_id,
            addresses=[f"{person_id}@{entity_id}.test"],
            roles=[role] if role else (),
            state=directory_pb2.PERSON_STATE_ACTIVE,
            version=1,
        )
        view.apply([events_pb2.PersonChanged(person=person)])
    group = directory_pb2.Group(group_id="news", version=1, moderators=[directory_pb2.Member(person_id="eva")])
    view.apply([events_pb2.GroupChanged(group=group)])
    people = ViewDirectory(view)
    assert list(people.addresses_of_panel(Panel("eb", "news", of_list=True))) == ["eva@eb.test"]
    for empty in (Panel("eb"), Panel("eb", "gone"), Panel("eb", "gone", of_list=True)):
        assert list(people.addresses_of_panel(empty)) == ["boss@eb.test"]
    assert list(people.addresses_of_panel(Panel(""))) == []
    assert people.decides("eva", Panel("eb", "news", of_list=True))
    assert not people.decides("eva", Panel("eb", "news"))
    assert not people.decides("boss", Panel("eb"))


class NoRules:
    empty = True

    def of(self, scope: str) -> Book:
        return Book(scope)


@dataclass
class Store:
    """`Deliveries` and `Contents` in memory, and the mails of ours that are due."""

    shards: list[Shard]
    released: list[str] = field(default_factory=list)

    async def trace(self, *, message_id: str, limit: int) -> AsyncIterator[Shard]:
        for each in self.shards:
            yield each

    async def plan(self, planned: Shard) -> None:
        self.shards.append(planned)

    async def release(self, lane: MessageClass, ids: Sequence[str], now: datetime) -> None:
        self.released += ids

    async def kept_outside(self, mail: Message) -> Message:
        return mail

    async def read(self, mail: Message) -> bytes:
        return CONTENT

    async def inform(self, progress: Progress, content: bytes) -> Sequence[Message]:
        return ()

    def again(self, progress: Progress) -> None:
        """What was recorded is what is there."""
        self.shards = [progress.shard if each.id == progress.shard.id else each for each in self.shards]

    @property
    def addressed(self) -> list[str]:
        plans = {one for each in self.shards for onward in each.onward for one in onward.ids}
        counted = (each for each in self.shards if each.id in plans)
        return sorted(to.destination.address for each in counted for to in each.deliveries)


def ministry() -> Iterator[Any]:
    """Two moderated lists that share rui and are nested in each other, and the people in them."""
    yield events_pb2.EntityChanged(entity=directory_pb2.Entity(entity_id="eb", domains=["b.test"], version=1))
    for number, name in enumerate(("rui", "eva", "nuno"), 1):
        person = directory_pb2.Person(
            person_id=name,
            number=number,
            entity_id="eb",
            addresses=[f"{name}@b.test"],
            state=directory_pb2.PERSON_STATE_ACTIVE,
            version=1,
        )
        yield events_pb2.PersonChanged(person=person)
    member = directory_pb2.Member
    for name, other, person_id in (("news", "digest", "eva"), ("digest", "news", "nuno")):
        group = directory_pb2.Group(
            group_id=name,
            name=name,
            entity_id="eb",
            addresses=[f"{name}@b.test"],
            members=[member(person_id="rui"), member(person_id=person_id), member(group_id=other)],
            moderators=[member(person_id="eva")],
            version=1,
        )
        yield events_pb2.GroupChanged(group=group)


def after_moderation(store: Any) -> AfterModeration:
    view = View()
    view.apply(ministry())
    the_route = Route(ViewDirectory(view))
    ids = iter(f"p{n}" for n in range(9))
    rules = ApplyRules(the_route, NoRules())
    return AfterModeration(the_route, rules, store, store, store.inform, now=lambda: NOW, new_id=lambda: next(ids))


async def test_lists_that_share_people_go_on_to_each_once_whatever_dies_between() -> None:
    direct = Shard(message(), 0, (Delivery(mailbox("eva"), State.DELIVERED),), None, plan=Plan("p", 2))
    held = replace(shard(a_list()), number=1, plan=Plan("p", 2))
    store = Store([direct, held])
    go_on = after_moderation(store)
    approved = decide(held, Decision.APPROVE).shard
    await go_on(approved)  # and dies before it is recorded: what was planned never counts
    done = await go_on(approved)
    assert done is not None
    store.again(done[0])
    assert store.addressed == ["rui@b.test"], "eva has it already"
    (news, digest) = done[0].shard.deliveries
    assert (news.state, digest.state, digest.until) == (State.DELIVERED, State.PENDING, LATER)
    assert digest in done[0].changed, "its moderators are asked in the same write"
    assert (done[0].shard.due, store.released) == (NOW, [])
    released = await go_on(done[0].shard)
    assert released is not None
    assert store.released == [each for onward in done[0].shard.onward for each in onward.ids]
    assert released[0].shard.due == LATER
    last = await go_on(decide(released[0].shard, Decision.APPROVE).shard)
    assert last is not None
    store.again(last[0])
    assert store.addressed == ["nuno@b.test", "rui@b.test"]
    assert [each.state for each in last[0].shard.deliveries] == [State.DELIVERED, State.DELIVERED], "and no third time"
    numbers = [each.number for each in store.shards if each.id in {i for o in last[0].shard.onward for i in o.ids}]
    assert len(set(numbers)) == len(numbers) == 2
    assert not {0, 1} & set(numbers), "reports are named by shard and version"


@dataclass
class Held:
    """`Moderated` in memory, in which a decision may come between; and people who are all judges."""

    shards: list[Shard]
    before: list[Progress] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)

    async def of_mail(self, message_id: str) -> Sequence[Shard]:
        return list(self.shards)

    async def decide(self, progress: Progress, ours: object, said: Said, entity_id: str, deed: Deed) -> None:
        if self.before:
            self._record(self.before.pop())
            raise errors.Conflict("somebody was faster", reason="STALE")
        self._record(progress)
        self.decisions.append(f"{said.decision.value} {progress.shard.number} by {deed.by.subject} for {entity_id}")

    def _record(self, progress: Progress) -> None:
        self.shards = [progress.shard if each.number == progress.shard.number else each for each in self.shards]

    def decides(self, person_id: str, panel: Panel) -> bool:
        return panel.group_id == "judges"

    async def read(self, mail: Message) -> bytes:
        return CONTENT

    async def inform(self, progress: Progress, content: bytes) -> Sequence[Message]:
        return ()


def deciding(held: Any) -> DecideModerated:
    return DecideModerated(Docket(held, held), held, held.inform)


async def test_the_first_decision_is_so_for_all_parts_of_a_large_mail() -> None:
    first, second = shard(mailbox("rui"), treated=RULED), replace(shard(mailbox("eva"), treated=RULED), number=1)
    approved = decide(first, Decision.APPROVE)
    dora = Caller("dora", "person", "ed", frozenset())
    for held in (Held([approved.shard, second]), Held([first, second], before=[approved])):
        with pytest.raises(errors.Conflict) as contrary:
            await deciding(held)(dora, Said("m1:r1", Decision.REJECT, ""), at=NOW)
        assert contrary.value.reason == "DECIDED"
        assert held.shards == [approved.shard, second]
        for _ in range(2):
            await deciding(held)(dora, Said("m1:r1", Decision.APPROVE, ""), at=NOW)
        assert held.decisions == ["approve 1 by dora for ea"]
    given_up = Held([moderation.expired(first, LATER).shard])
    for decision in Decision:
        with pytest.raises(errors.Conflict):
            await deciding(given_up)(dora, Said("m1:r1", decision, ""), at=NOW)


async def test_what_waits_for_others_is_not_there() -> None:
    held = Held([shard(a_list())])
    for who in (
        Caller("dora", "person", "eb", frozenset()),
        Caller("boss", "person", "ea", frozenset({"mail.admin"})),
        Caller("boss", "person", "eb", frozenset({"directory.admin"})),
    ):
        with pytest.raises(errors.NotFound):
            await deciding(held)(who, Said("m1:news", Decision.APPROVE, ""), at=NOW)
    boss = Caller("boss", "person", "eb", frozenset({"mail.admin"}))
    for unknown in ("m1:other", "m1", "", "m1:news:x"):
        with pytest.raises(errors.NotFound):
            await deciding(held)(boss, Said(unknown, Decision.APPROVE, ""), at=NOW)
    await deciding(held)(boss, Said("m1:news", Decision.APPROVE, ""), at=NOW)
    assert held.decisions == ["approve 0 by boss for eb"]
