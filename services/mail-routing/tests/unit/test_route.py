"""Where mail goes: each row of the table, lists of every kind, and what is told of it."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from mail_routing.application.apply_rules import ApplyRules
from mail_routing.application.resolve import Explanation, Question, Resolve
from mail_routing.domain import rules
from mail_routing.domain.destinations import Resolved
from mail_routing.domain.message import Recipient
from mail_routing.domain.next_hop import NextHops
from mail_routing.domain.route import Destination, Kind, MailList, Person, Route, Sender
from rpc import Caller


@dataclass
class Book:
    """A small directory: `people` by address, lists with people, outside addresses and nested lists."""

    domains: dict[str, str] = field(default_factory=lambda: {"a.test": "ea", "b.test": "eb"})
    people: dict[str, Person] = field(default_factory=dict)
    lists: dict[str, MailList] = field(default_factory=dict)
    static: dict[str, list[str]] = field(default_factory=dict)
    outside: dict[str, list[str]] = field(default_factory=dict)
    inner: dict[str, list[str]] = field(default_factory=dict)
    senders: dict[str, set[str]] = field(default_factory=dict)
    moderators: dict[str, set[str]] = field(default_factory=dict)
    catch: dict[str, str] = field(default_factory=dict)

    def person(self, address: str, *aliases: str) -> Person:
        entity = self.domains[address.split("@")[1]]
        person = Person(f"p-{address.split('@', maxsplit=1)[0]}", entity, address)
        self.people |= dict.fromkeys((address, *aliases), person)
        return person

    def put_list(self, group_id: str, *members: str, address: str = "", senders: set[str] | None = None) -> None:
        self.lists[address or f"{group_id}@a.test"] = MailList(group_id, group_id, restricted=senders is not None)
        self.senders[group_id] = senders or set()
        self.static[group_id] = [m for m in members if m in self.people]
        self.outside[group_id] = [m for m in members if "@" in m and m not in self.people]
        self.inner[group_id] = [m for m in members if "@" not in m]

    def moderate(self, group_id: str, *moderators: str) -> None:
        (address,) = (address for address, each in self.lists.items() if each.group_id == group_id)
        self.lists[address] = replace(self.lists[address], address=address, entity_id="ea", moderated=True)
        self.moderators[group_id] = set(moderators)

    def _all(self, group_id: str, apart: frozenset[str] = frozenset()) -> list[str]:
        found, waiting = [], [group_id]
        while waiting:
            one = waiting.pop(0)
            if one not in found and one in self.static and one not in apart - {group_id}:
                found.append(one)
                waiting += self.inner[one]
        return found

    def entity_of_domain(self, domain: str) -> str | None:
        return self.domains.get(domain)

    def person_at(self, address: str) -> Person | None:
        return self.people.get(address)

    def list_at(self, address: str) -> MailList | None:
        return self.lists.get(address)

    def catch_all(self, entity_id: str) -> Person | None:
        return self.people.get(self.catch.get(entity_id, ""))

    def list_of(self, group_id: str) -> MailList | None:
        return next((each for each in self.lists.values() if each.group_id == group_id), None)

    def members(self, group_id: str, apart: frozenset[str]) -> Iterator[Person]:
        addresses = {a for one in self._all(group_id, apart) for a in self.static[one]}
        return (self.people[a] for a in sorted(addresses))

    def outside_members(self, group_id: str, apart: frozenset[str]) -> list[str]:
        return sorted({a for one in self._all(group_id, apart) for a in self.outside[one]})

    def moderated_within(self, group_id: str) -> frozenset[str]:
        return frozenset(self._all(group_id)) & self.moderators.keys() - {group_id}

    def first_of(self, group_id: str, apart: frozenset[str]) -> list[MailList]:
        met = {inner for one in self._all(group_id, apart) for inner in self.inner[one]} & apart
        return [each for each in self.lists.values() if each.group_id in met]

    def needs_approval(self, person: Person | None, group_id: str) -> bool:
        return person is None or person.address not in self.moderators[group_id]

    def nested(self, group_id: str) -> list[MailList]:
        return [m for m in self.lists.values() if m.group_id in self.inner.get(group_id, [])]

    def may_send(self, person: Person | None, group_id: str) -> bool:
        return person is not None and person.address in self.senders[group_id]


class NoRules:
    empty = True

    def of(self, scope: str) -> rules.Book:
        return rules.Book(scope)


def explain(the_route: Route, sender: str, recipient: str, *, outside: bool = False) -> Explanation:
    asked = Resolve(the_route, NoRules(), ApplyRules(the_route, NoRules()))
    caller = Caller("ana", "person", "ea", frozenset())
    question = Question(sender, recipient, outside=outside)
    return asked(caller, question, now=datetime(2026, 11, 26, tzinfo=UTC))


@pytest.fixture
def book() -> Book:
    book = Book()
    book.person("ana@a.test", "ana.silva@a.test")
    book.person("rui@b.test")
    return book


OUTSIDE = Sender("someone@else.test", trusted=False)
HOPS = NextHops({"partner.test": "mx.partner.test:25"}, "smart.test:25")


def where(
    book: Book, *to: str, sender: Sender = OUTSIDE, hops: NextHops = HOPS, postmaster: str = ""
) -> list[tuple[str, str, str]]:
    found = Resolved(Route(book, hops, postmaster), sender, map(Recipient, to))
    return [(d.kind.value, d.address, d.status or d.target) for d in found]


def test_an_address_an_alias_a_tag_and_another_case_lead_to_one_mailbox(book: Book) -> None:
    for address in ("ana@a.test", "ana.silva@a.test", "ana+bills@a.test", "ANA@A.TEST", "Ana.Silva+x+y@a.test"):
        assert where(book, address) == [("mailbox", "ana@a.test", "ea/p-ana")]
    assert len(where(book, "ana@a.test", "ana+x@a.test", "ana.silva@a.test")) == 1


def test_unknown_is_refused_unless_somebody_catches_all(book: Book) -> None:
    assert where(book, "nobody@a.test") == [("refused", "nobody@a.test", "5.1.1")]
    assert where(book, "+tag@a.test") == [("refused", "+tag@a.test", "5.1.1")]
    book.catch["ea"] = "ana@a.test"
    assert where(book, "nobody@a.test") == [("mailbox", "ana@a.test", "ea/p-ana")]
    assert where(book, "nobody@b.test") == [("refused", "nobody@b.test", "5.1.1")]


def test_other_domains_are_relayed_for_those_we_trust_alone(book: Book) -> None:
    trusted = Sender("ana@a.test", trusted=True)
    assert where(book, "Joe@partner.test") == [("refused", "joe@partner.test", "5.7.1")]
    assert where(book, "Joe@partner.test", sender=trusted) == [("relay", "Joe@partner.test", "mx.partner.test:25")]
    assert where(book, "joe@far.test", sender=trusted) == [("relay", "joe@far.test", "smart.test:25")]
    assert where(book, "joe@far.test", sender=trusted, hops=NextHops()) == [("refused", "joe@far.test", "5.4.4")]


def test_postmaster_of_every_domain(book: Book) -> None:
    assert where(book, "postmaster@b.test") == [("refused", "postmaster@b.test", "5.1.1")]
    assert where(book, "Postmaster@b.test", postmaster="ana@a.test") == [("mailbox", "ana@a.test", "ea/p-ana")]


def test_the_address_of_a_service_takes_reports_alone(book: Book) -> None:
    report = Sender("", trusted=False, reports=True)
    route = Route(book, HOPS, reports_to=("no-reply@*",))
    found = [
        (destination.kind, destination.address)
        for sender in (report, OUTSIDE, Sender("", trusted=True))
        for to in ("No-Reply@a.test", "nobody@a.test", "no-reply@far.test")
        for destination in Resolved(route, sender, [Recipient(to)])
    ]
    assert [each for each in found if each[0] is Kind.REPORT] == [(Kind.REPORT, "no-reply@a.test")]
    assert found[:3] == [
        (Kind.REPORT, "no-reply@a.test"),
        (Kind.REFUSED, "nobody@a.test"),
        (Kind.REFUSED, "no-reply@far.test"),
    ]
    book.person("no-reply@a.test")  # whoever has the address gets what comes to it
    assert [each.kind for each in Resolved(route, report, [Recipient("no-reply@a.test")])] == [Kind.MAILBOX]


def test_a_nested_cyclic_list_reaches_each_member_once_and_says_who_was_written_to(book: Book) -> None:
    book.put_list("staff", "ana@a.test", "inner")
    book.put_list("inner", "rui@b.test", "joe@far.test", "staff")
    found = list(Resolved(Route(book, HOPS), OUTSIDE, [Recipient("staff@a.test"), Recipient("rui@b.test")]))
    assert [(d.kind, d.address, d.original) for d in found] == [
        (Kind.MAILBOX, "ana@a.test", "staff@a.test"),
        (Kind.MAILBOX, "rui@b.test", "staff@a.test"),
        (Kind.RELAY, "joe@far.test", "staff@a.test"),
    ]


def test_an_outside_member_that_is_a_list_of_ours_is_expanded_and_circles_end(book: Book) -> None:
    book.put_list("one", "two@a.test")
    book.put_list("two", "one@a.test", "rui@b.test")
    assert where(book, "one@a.test") == [("mailbox", "rui@b.test", "eb/p-rui")]


def test_orcpt_is_kept_through_a_list(book: Book) -> None:
    book.put_list("staff", "ana@a.test")
    found = list(Resolved(Route(book), OUTSIDE, [Recipient("staff@a.test", "all@old.test", ("NEVER",))]))
    assert found == [
        Destination(Kind.MAILBOX, "ana@a.test", "ea/p-ana", "all@old.test", "p-ana", "ea", notify=("NEVER",))
    ]


def test_a_restricted_list_takes_its_senders_and_believes_no_forged_one(book: Book) -> None:
    book.put_list("board", "rui@b.test", senders={"ana@a.test"})
    assert where(book, "board@a.test", sender=Sender("ana@a.test", trusted=True))[0][0] == "mailbox"
    for sender in (Sender("ana@a.test", trusted=False), Sender("rui@b.test", trusted=True), Sender("", trusted=True)):
        assert where(book, "board@a.test", sender=sender) == [("refused", "board@a.test", "5.7.1")]


EDITOR = Sender("rui@b.test", trusted=True)


def waiting(book: Book, to: str, sender: Sender = OUTSIDE) -> tuple[list[str], dict[str, str]]:
    """Whom a mail goes to, and the lists that wait by the recipient that led there."""
    found = Resolved(Route(book, HOPS), sender, [Recipient(to)])
    going = [each.address for each in found]
    return going, {each.target: each.original for each in found.waiting.values()}


def test_a_moderated_list_stands_for_itself_until_its_moderators_have_decided(book: Book) -> None:
    book.put_list("staff", "ana@a.test", "rui@b.test")
    book.moderate("staff", "rui@b.test")
    held = Destination(Kind.LIST, "staff@a.test", "staff", "staff+x@a.test", entity_id="ea", notify=("NEVER",))
    found = Resolved(Route(book), OUTSIDE, [Recipient("staff+x@a.test", notify=("NEVER",))])
    assert (list(found), list(found.waiting.values())) == ([], [held])
    gone_on = Resolved(Route(book), replace(OUTSIDE, approved="staff"), ())
    assert [(each.address, each.original, each.notify) for each in gone_on.of_list(held)] == [
        ("ana@a.test", "staff+x@a.test", ("NEVER",)),
        ("rui@b.test", "staff+x@a.test", ("NEVER",)),
    ]
    assert waiting(book, "staff@a.test", EDITOR) == (["ana@a.test", "rui@b.test"], {})
    assert waiting(book, "staff@a.test", replace(EDITOR, trusted=False))[0] == []
    assert waiting(book, "staff@a.test", replace(OUTSIDE, waits=False))[0] == ["ana@a.test", "rui@b.test"]
    book.lists.clear()
    (gone,) = gone_on.of_list(held)
    assert (gone.kind, gone.status, gone.original) == (Kind.REFUSED, "5.1.1", "staff+x@a.test")


def test_a_nested_moderated_list_waits_for_its_own_part(book: Book) -> None:
    book.put_list("all", "ana@a.test", "staff")
    book.put_list("staff", "rui@b.test", "board")
    book.put_list("board", "joe@far.test", "all")
    book.moderate("board", "ana@a.test")
    assert waiting(book, "all@a.test") == (["ana@a.test", "rui@b.test"], {"board": "all@a.test"})
    book.moderate("staff", "rui@b.test")
    assert waiting(book, "all@a.test") == (["ana@a.test"], {"staff": "all@a.test"}), "its own part comes later"
    going, waits = waiting(book, "all@a.test", EDITOR)
    assert (going, waits) == (["ana@a.test", "rui@b.test"], {"board": "all@a.test"})
    staff = Destination(Kind.LIST, "staff@a.test", "staff", "all@a.test")
    gone_on = Resolved(Route(book, HOPS), replace(OUTSIDE, approved="staff"), ())
    assert [each.address for each in gone_on.of_list(staff)] == ["rui@b.test"]
    assert list(gone_on.waiting) == ["board"]
    book.static["all"].clear()
    assert waiting(book, "all@a.test") == ([], {"staff": "all@a.test"}), "and nobody hears that it has no members"


def test_who_sends_on_to_a_moderated_list_waits_with_it(book: Book) -> None:
    book.put_list("staff", "rui@b.test", "ana@a.test")
    book.moderate("staff", "rui@b.test")
    sends_on(book, "ana@a.test", "staff@a.test", only=True)
    found = Resolved(Route(book), EDITOR, [Recipient("ana@a.test")])
    assert list(found) == []
    (held,) = found.waiting.values()
    gone_on = list(Resolved(Route(book), replace(EDITOR, approved="staff"), ()).of_list(held))
    by = dict.fromkeys(("rui@b.test", "ana@a.test"), "ana@a.test")
    assert {each.address: each.forwarded_by for each in gone_on} == by, "and the circle ends in her mailbox"


def test_a_moderated_list_that_comes_back_to_itself_is_not_asked_about_again(book: Book) -> None:
    book.put_list("staff", "rui@b.test", "loop@a.test")
    book.put_list("loop", "ana@a.test", "staff")
    book.moderate("staff", "rui@b.test")
    assert waiting(book, "staff@a.test", EDITOR) == (["rui@b.test", "ana@a.test"], {})
    assert waiting(book, "staff@a.test", replace(OUTSIDE, approved="staff")) == (["rui@b.test", "ana@a.test"], {})


def test_who_meets_no_moderated_list_pays_nothing_for_those_there_are(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.put_list("staff", "ana@a.test", "inner")
    book.put_list("inner", "rui@b.test")
    book.put_list("board", "rui@b.test")
    book.moderate("board", "ana@a.test")
    asked: list[str] = []
    within = book.moderated_within

    def noted(group_id: str) -> frozenset[str]:
        asked.append(group_id)
        return within(group_id)

    monkeypatch.setattr(book, "moderated_within", noted)
    monkeypatch.setattr(book, "needs_approval", lambda *_: asked.append("person"))
    monkeypatch.setattr(book, "first_of", lambda *_: asked.append("first"))
    assert len(where(book, "ana@a.test", "rui@b.test", "staff@a.test", "x@far.test")) == 3
    assert asked == ["staff"], "once for a list, whatever the number of its people"


def test_the_explanation_says_whose_moderators_it_waits_for(book: Book) -> None:
    book.put_list("staff", "ana@a.test")
    book.moderate("staff", "ana@a.test")
    explanation = explain(Route(book, HOPS), "rui@b.test", "staff@a.test")
    assert [(s.kind, s.result) for s in explanation.steps][1:] == [("moderated", 'waits for moderators of "staff"')]
    assert [(d.kind, d.address) for d in explanation.destinations] == [(Kind.LIST, "staff@a.test")]
    assert explanation.count == 1
    hold = rules.Rule("r", "odd", 0, (), (rules.Action(rules.Verb.HOLD, "odd", "judges"),))
    asked = Resolve(Route(book), NoRules(), ApplyRules(Route(book), NoRules()))
    question = Question("rui@b.test", "ana@a.test", draft=hold)
    told = asked(
        Caller("boss", "person", "ea", frozenset({"mail.admin"})), question, now=datetime(2026, 11, 26, tzinfo=UTC)
    )
    assert [(s.kind, s.result) for s in told.steps][-1] == ("moderated", "waits for members of judges")


def test_a_list_without_members_is_refused_and_not_swallowed(book: Book) -> None:
    book.put_list("empty")
    assert where(book, "empty@a.test") == [("refused", "empty@a.test", "5.2.4")]


def test_the_explanation_says_each_step(book: Book) -> None:
    book.put_list("staff", "ana@a.test", "inner")
    book.put_list("inner", "rui@b.test", "staff")
    explanation = explain(Route(book, HOPS), "rui@b.test", "staff+news@a.test")
    assert [(s.kind, s.subject) for s in explanation.steps] == [
        ("plus-tag", "staff+news@a.test"),
        ("list", "staff"),
        ("cycle", "inner"),
    ]
    assert explanation.count == len(explanation.destinations) == 2
    kinds = {to: explain(Route(book, HOPS), "", to).steps[0].kind for to in ("ana@a.test", "ana.silva@a.test")}
    assert kinds == {"ana@a.test": "person", "ana.silva@a.test": "alias"}
    assert explain(Route(book, HOPS), "", "no@a.test").steps[0].kind == "unknown"
    assert explain(Route(book, HOPS), "", "joe@far.test").steps[0].kind == "relay"


def test_the_explanation_believes_a_sender_as_smtp_would(book: Book) -> None:
    book.put_list("board", "rui@b.test", senders={"ana@a.test"})

    def told(sender: str, to: str, *, outside: bool = False) -> list[tuple[str, str]]:
        explanation = explain(Route(book, HOPS), sender, to, outside=outside)
        return [(step.kind, step.result[:5]) for step in explanation.steps]

    outside = ("outside", "is no")
    assert told("x@else.test", "joe@far.test") == [outside, ("elsewhere", "5.7.1")]
    assert told("X@Else.test", "ana@a.test") == [outside, ("person", "goes ")]
    assert told("ana@a.test", "joe@far.test") == [("relay", "goes ")]
    assert told("ana@A.test", "board@a.test") == [("list", "is th")]
    assert told("ana@a.test", "board@a.test", outside=True) == [outside, ("refused", "5.7.1")]
    assert told("", "joe@far.test", outside=True) == [outside, ("elsewhere", "5.7.1")]


def sends_on(book: Book, address: str, *to: str, only: bool = False) -> None:
    book.people[address] = replace(book.people[address], forward_to=to, forward_only=only)


def test_mail_that_is_sent_on_is_kept_too_unless_it_is_not_wanted(book: Book) -> None:
    sends_on(book, "ana@a.test", "rui+x@b.test", "ana@home.test")
    (rui, home, kept) = Resolved(Route(book, HOPS), OUTSIDE, map(Recipient, ("ana+x@a.test", "rui@b.test")))
    assert (kept.address, kept.forwarded_by) == ("ana@a.test", "")
    sends_on(book, "ana@a.test", "ana@home.test", only=True)
    (alone,) = Resolved(Route(book, HOPS), OUTSIDE, [Recipient("ana@a.test", "all@old.test", ("SUCCESS",))])
    assert (alone.address, alone.target, alone.original) == ("ana@home.test", "smart.test:25", "all@old.test")
    assert (alone.notify, alone.forwarded_by) == (("SUCCESS",), "ana@a.test")
    assert (rui.forwarded_by, rui.notify, home.kind) == ("ana@a.test", ("NEVER",), Kind.RELAY)


def test_a_circle_of_those_who_send_on_loses_no_mail(book: Book) -> None:
    sends_on(book, "ana@a.test", "rui@b.test", only=True)
    sends_on(book, "rui@b.test", "ana@a.test", only=True)
    assert where(book, "ana@a.test") == [("mailbox", "ana@a.test", "ea/p-ana")]
    sends_on(book, "ana@a.test", "ana@a.test", only=True)
    assert where(book, "ana@a.test") == [("mailbox", "ana@a.test", "ea/p-ana")]
    book.put_list("staff", "ana@a.test")
    sends_on(book, "ana@a.test", "staff@a.test", only=True)
    assert where(book, "staff@a.test") == [("mailbox", "ana@a.test", "ea/p-ana")]


def test_mail_that_would_be_sent_on_to_nobody_is_kept(book: Book) -> None:
    sends_on(book, "ana@a.test", "gone@b.test", only=True)
    assert where(book, "ana@a.test") == [("mailbox", "ana@a.test", "ea/p-ana")]
    assert [s.kind for s in explain(Route(book, HOPS), "", "ana@a.test").steps] == ["person", "forward"]


def test_a_shared_mailbox_takes_the_mail_itself(book: Book) -> None:
    book.put_list("desk", "ana@a.test", "rui@b.test")
    book.lists["desk@a.test"] = replace(book.lists["desk@a.test"], mailbox_of="ea", address="desk@a.test")
    assert where(book, "desk+urgent@a.test", "desk@a.test") == [("mailbox", "desk@a.test", "ea/group.desk")]
    hops = NextHops(mailboxes={"ea": "connector:dovecot"}, dual={"a.test": "mx.old.test:25"})
    assert where(book, "desk@a.test", hops=hops) == [
        ("lmtp", "desk@a.test", "connector:dovecot"),
        ("relay", "desk@a.test", "mx.old.test:25"),
    ]


def test_split_delivery_comes_before_the_catch_all(book: Book) -> None:
    book.catch["ea"] = "ana@a.test"
    hops = NextHops(split={"a.test": "mx.old.test:25"}, by_entity={"ea": "mx"})
    assert where(book, "nobody@a.test", hops=hops) == [("relay", "nobody@a.test", "mx.old.test:25")]
    ana = Sender("ana@a.test", trusted=True)
    assert where(book, "x@far.test", sender=ana, hops=hops) == [("relay", "x@far.test", "mx:far.test")]
