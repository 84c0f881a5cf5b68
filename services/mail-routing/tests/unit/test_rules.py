"""Transport rules: each condition, each action, their order, and what they do to the octets."""

import email
import email.policy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import errors
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mail_routing.application.apply_rules import ApplyRules
from mail_routing.domain import headers, mime, rule_grammar, rules, treatment
from mail_routing.domain.message import Message, MessageClass, Origin, Recipient
from mail_routing.domain.route import Destination, Kind
from mail_routing.domain.rules import Action, Addressee, Book, Condition, Facts, Field, Rule, Verb

ATTACHED = """\
From: Ana <ana@a.test>
Subject: =?utf-8?q?Relat=C3=B3rio?= final
Rossio-Label: Clinical
X-Tag: one
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b1"

--b1
Content-Type: multipart/alternative; boundary=b2

--b2
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

a palavra se=
creta, at=E9 amanh=E3
--b2
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

PGI+bmVncml0bzwvYj4=
--b2--
--b1
Content-Type: application/x-msdownload; name*=utf-8''r%C3%A9sum%C3%A9.EXE
Content-Transfer-Encoding: base64

AAAA
--b1
Content-Type: application/pdf
Content-Disposition: attachment; filename="=?utf-8?q?plano=2Epdf?="

%PDF
--b1--
""".replace("\n", "\r\n").encode()


def facts(content: bytes = ATTACHED, **more: object) -> Facts:
    mail = Message(
        message_id="m1",
        entity_id="ea",
        sender="Ana@a.test",
        recipients=(Recipient("rui@b.test"),),
        content=content,
        size=len(content),
        message_class=MessageClass.NORMAL,
        accepted_at=datetime(2026, 11, 26, 12, tzinfo=UTC),
        origin=Origin.SUBMISSION,
    )
    return Facts(replace(mail, **more), content)  # type: ignore[arg-type]


RUI = Addressee("rui@b.test", "list@b.test", "eb")
OUTSIDE = Addressee("x@else.test", "x@else.test", "")

HOLD = [
    (Field.SENDER, "ana@*", ""),
    (Field.RECIPIENT, "rui@b.test", ""),
    (Field.RECIPIENT, "LIST@b.*", ""),
    (Field.SENDER_ENTITY, "ea", ""),
    (Field.RECIPIENT_ENTITY, "eb", ""),
    (Field.DIRECTION, "inside", ""),
    (Field.HEADER, "on?", "x-TAG"),
    (Field.SUBJECT, "*relatÓrio*", ""),
    (Field.LABEL, "clinical", ""),
    (Field.BODY, "palavra SECRETA, até amanhã", ""),
    (Field.BODY, "negrito", ""),
    (Field.LARGER, "100", ""),
    (Field.ATTACHMENT_NAME, "*.exe", ""),
    (Field.ATTACHMENT_NAME, "plano.pdf", ""),
    (Field.ATTACHMENT_TYPE, "application/*", ""),
    (Field.AFTER, "2026-11-26T12:00:00+00:00", ""),
    (Field.BEFORE, "2026-11-26T13:30:00+01:00", ""),
]
HOLD_NOT = [
    (Field.SENDER, "rui@*", ""),
    (Field.RECIPIENT, "eva@b.test", ""),
    (Field.RECIPIENT_ENTITY, "ea", ""),
    (Field.DIRECTION, "out", ""),
    (Field.HEADER, "one", "x-other"),
    (Field.SUBJECT, "relat", ""),
    (Field.LABEL, "clin", ""),
    (Field.BODY, "%PDF", ""),
    (Field.LARGER, str(len(ATTACHED)), ""),
    (Field.ATTACHMENT_NAME, "*.doc", ""),
    (Field.ATTACHMENT_TYPE, "text/*", ""),
    (Field.AFTER, "2026-11-26T12:00:01+00:00", ""),
    (Field.BEFORE, "2026-11-26T12:00:00+00:00", ""),
]


@pytest.mark.parametrize(("field", "value", "name"), HOLD)
def test_a_condition_holds(field: Field, value: str, name: str) -> None:
    assert rules.holds(
        Condition(field, ("nothing", value), name) if field not in NUMBERS else Condition(field, (value,)), facts(), RUI
    )


NUMBERS = {Field.LARGER, Field.AFTER, Field.BEFORE}


@pytest.mark.parametrize(("field", "value", "name"), HOLD_NOT)
def test_a_condition_does_not_hold(field: Field, value: str, name: str) -> None:
    assert not rules.holds(Condition(field, (value,), name), facts(), RUI)


def test_every_condition_is_tried() -> None:
    assert {field for field, _, _ in HOLD} == set(Field)


@pytest.mark.parametrize(
    ("entity_id", "origin", "to", "direction"),
    [
        ("ea", Origin.GRPC, RUI, "inside"),
        ("ea", Origin.GRPC, OUTSIDE, "out"),
        ("", Origin.SMTP, RUI, "in"),
        ("ea", Origin.SMTP, RUI, "in"),  # an outside client that says it is ours is not
    ],
)
def test_direction(entity_id: str, origin: Origin, to: Addressee, direction: str) -> None:
    known = facts(entity_id=entity_id, origin=origin)
    found = [each for each in ("in", "out", "inside") if rules.holds(Condition(Field.DIRECTION, (each,)), known, to)]
    assert found == [direction]


@pytest.mark.parametrize("origin", Origin)
def test_only_a_sender_who_is_known_is_of_an_entity(origin: Origin) -> None:
    forged = origin is Origin.SMTP
    known = facts(origin=origin)
    assert rules.holds(Condition(Field.SENDER_ENTITY, ("ea",)), known, RUI) is not forged
    books = {scope: Book(scope, (rule(scope, tag("X-Asked")),)) for scope in ("ea", "eb")}
    nothing: Any = None
    treated = ApplyRules(nothing, Shelf(books)).treated(
        known, [Destination(Kind.MAILBOX, "rui@b.test", "", "", "", "eb")]
    )
    ((found, _),) = treated
    assert [decision.scope for decision in found.decisions] == (["eb"] if forged else ["ea", "eb"])


@dataclass
class Shelf:
    """The rules of each scope."""

    books: dict[str, Book]
    empty = False

    def of(self, scope: str) -> Book:
        return self.books.get(scope, Book(scope))


def rule(rule_id: str, *actions: Action, priority: int = 0, **more: object) -> Rule:
    return Rule(rule_id, f"rule {rule_id}", priority, (), actions, **more)  # type: ignore[arg-type]


def tag(name: str) -> Action:
    return Action(Verb.ADD_HEADER, "yes", name)


def test_the_ministry_comes_first_then_priority_then_id_and_what_ends_ends() -> None:
    central = Book("", (rule("z", tag("Z"), priority=1), rule("y", tag("Y"), priority=1)), 3).in_order()
    entity = Book("ea", (rule("c", tag("C"), priority=9), rule("a", tag("A")), rule("b", Action(Verb.STOP)))).in_order()
    verdict = rules.judge((central, entity), facts(), RUI)
    assert [(d.scope, d.rule_id) for d in verdict.decisions] == [("", "y"), ("", "z"), ("ea", "a"), ("ea", "b")]
    assert [each.name for each in verdict.actions if each.name] == ["Y", "Z", "A"]


def test_exceptions_and_switches_and_what_is_told_of_them() -> None:
    told: list[tuple[str, str]] = []
    off = rule("a", tag("A"), enabled=False)
    excepted = rule("b", tag("B"), exceptions=(Condition(Field.SUBJECT, ("*final",)),))
    missed = replace(rule("c", tag("C")), conditions=(Condition(Field.HEADER, ("two",), "X-Tag"),))
    held = replace(
        rule("d", tag("D")), conditions=(Condition(Field.SENDER, ("ana@*",)), Condition(Field.LARGER, ("9",)))
    )
    book = Book("ea", (off, excepted, missed, held))
    verdict = rules.judge((book,), facts(), RUI, lambda _, rule, outcome: told.append((rule.rule_id, outcome)))
    assert [d.rule_id for d in verdict.decisions] == ["d"]
    assert told == [
        ("a", "is switched off"),
        ("b", "is excepted: subject *final"),
        ("c", "does not hold: header X-Tag two"),
        ("d", "add-header D yes"),
    ]


def test_what_a_verdict_does_to_the_octets() -> None:
    actions = (
        tag("X-Checked"),
        Action(Verb.ADD_HEADER, "não", "X-Note"),
        Action(Verb.DISCLAIMER, "Confidencial: só para si."),
    )
    treated = treatment.of(rules.judge((Book("", (rule("a", *actions),)),), facts(), RUI))
    content = treated.applied(ATTACHED, headers.read(ATTACHED), "=_m1.rules")
    assert content.startswith(b"X-Checked: yes\r\nX-Note: =?utf-8?")
    assert ATTACHED[ATTACHED.index(b"\r\n\r\n--b1") :] in content
    read = email.message_from_bytes(content, policy=email.policy.default)
    assert read["X-Note"] == "não"
    assert read["Subject"] == "Relatório final"
    assert read.get_content_type() == "multipart/mixed"
    original, below = read.iter_parts()
    assert original.get_content_type() == "multipart/mixed"
    assert below.get_content().strip() == "Confidencial: só para si."
    plain = b"Subject: x\r\n\r\n\xc3\xa9\r\n"
    assert b"\r\n\r\n\xc3\xa9\r\n\r\n--=_m2\r\n" in treated.applied(plain, headers.read(plain), "=_m2")


def test_quarantine_and_tls_are_part_of_the_treatment() -> None:
    book = Book("", (rule("a", Action(Verb.REQUIRE_TLS)), rule("b", Action(Verb.QUARANTINE, "executable"))))
    treated = treatment.of(rules.judge((book,), facts(), RUI))
    assert (treated.require_tls, treated.kept_back) == (True, "executable")
    assert treatment.of(rules.judge((), facts(), RUI)) is treatment.NONE


WRONG = [
    ("RULE_WITHOUT_ACTION", (), ()),
    ("RULE_CONDITION", (Condition(Field.SENDER, ()),), (tag("A"),)),
    ("RULE_CONDITION", (Condition(Field.SENDER, ("",)),), (tag("A"),)),
    ("RULE_CONDITION", (Condition(Field.HEADER, ("x",)),), (tag("A"),)),
    ("RULE_CONDITION", (Condition(Field.SUBJECT, ("x",), "name"),), (tag("A"),)),
    ("RULE_CONDITION", (Condition(Field.DIRECTION, ("up",)),), (tag("A"),)),
    ("RULE_CONDITION", (Condition(Field.LARGER, ("big",)),), (tag("A"),)),
    ("RULE_CONDITION", (Condition(Field.AFTER, ("2026-01-01",)),), (tag("A"),)),
    ("RULE_ACTION", (), (Action(Verb.REDIRECT, "nobody"),)),
    ("RULE_ACTION", (), (Action(Verb.REJECT),)),
    ("RULE_ACTION", (), (Action(Verb.REJECT, "a\r\nb"),)),
    ("RULE_ACTION", (), (Action(Verb.STOP, "now"),)),
    ("RULE_ACTION", (), (Action(Verb.ADD_HEADER, "a\r\nBcc: x@y.test", "X-A"),)),
    ("RULE_ACTION", (), (Action(Verb.ADD_HEADER, "x", "From"),)),
    ("RULE_ACTION", (), (Action(Verb.ADD_HEADER, "x", "X A"),)),
    ("RULE_CONTRADICTS_ITSELF", (), (Action(Verb.REJECT, "no"), Action(Verb.REDIRECT, "a@b.test"))),
]


@pytest.mark.parametrize(("reason", "conditions", "actions"), WRONG)
def test_what_a_rule_may_not_say(reason: str, conditions: tuple[Condition, ...], actions: tuple[Action, ...]) -> None:
    with pytest.raises(errors.Invalid) as refused:
        rule_grammar.check(Rule("r", "r", 0, conditions, actions))
    assert refused.value.reason == reason


def fragments() -> Iterator[bytes]:
    yield from (line + b"\r\n" for line in ATTACHED.split(b"\r\n"))
    yield from (b"--", b"\r\n", b"--b1", b"Content-Type: multipart/x; boundary=\r\n", b"to: :;o:c\r\n", b"\r\n\r\n")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(list(fragments())) | st.binary(max_size=8), max_size=40))
def test_any_octets_have_parts(pieces: list[bytes]) -> None:
    for part in mime.parts(b"".join(pieces)):
        assert isinstance(part.text, str)
        assert isinstance(part.name, str)


def test_a_bomb_of_containers_ends() -> None:
    bomb = b"".join(b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(500))
    assert len(list(mime.parts(bomb))) == 1
    many = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 5000
    assert len(list(mime.parts(many))) == 1000
