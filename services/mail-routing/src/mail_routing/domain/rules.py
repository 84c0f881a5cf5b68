"""Transport rules: what is asked of a mail, and what is done with it.

The rules of the ministry come first, then those of the sender's entity, then those of the recipient's, each in the
order of their priority (and of their ids, where that is the same). A rule holds for a recipient when all of its
conditions do and none of its exceptions. What it does adds up, until a rule rejects, redirects, quarantines, holds
or stops: then nothing further is asked. The same mail and the same rules give the same verdict wherever it is asked
for: in the worker, in `Resolve`, and of a rule that is not in force yet.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cached_property

from mail_routing.domain import headers, mime
from mail_routing.domain.address import canonical
from mail_routing.domain.message import Message

CENTRAL = ""
"""The scope of the ministry's own rules; the others are the ids of entities."""


class Field(StrEnum):
    """What a condition looks at."""

    SENDER = "sender"  # reverse path, as a pattern
    RECIPIENT = "recipient"  # the address that was given, or the one it led to, as a pattern
    SENDER_ENTITY = "sender-entity"  # of a sender who is known: not of who only names an address of ours
    RECIPIENT_ENTITY = "recipient-entity"
    DIRECTION = "direction"  # "in", "out" or "inside"
    HEADER = "header"  # the field `name`, as a pattern over its words
    SUBJECT = "subject"  # as a pattern
    BODY = "body"  # a phrase in a text
    LARGER = "larger"  # octets
    ATTACHMENT_NAME = "attachment-name"  # as a pattern
    ATTACHMENT_TYPE = "attachment-type"  # as a pattern, such as "application/*"
    LABEL = "label"  # what the field Rossio-Label says
    AFTER = "after"  # a time
    BEFORE = "before"


ABOUT_RECIPIENT = frozenset({Field.RECIPIENT, Field.RECIPIENT_ENTITY, Field.DIRECTION})
TIMES = frozenset({Field.AFTER, Field.BEFORE})


class Verb(StrEnum):
    """What a rule does."""

    REJECT = "reject"  # with the text `value`
    REDIRECT = "redirect"  # to the address `value`, and to nobody else
    BCC = "bcc"  # to the address `value` as well
    ADD_HEADER = "add-header"  # `name` with `value`
    DISCLAIMER = "disclaimer"  # the text `value` below
    QUARANTINE = "quarantine"  # for the reason `value`
    HOLD = "hold"  # for moderators, who are the members of the group `name`, for the reason `value`
    REQUIRE_TLS = "require-tls"
    STOP = "stop"


ENDING = frozenset({Verb.REJECT, Verb.REDIRECT, Verb.QUARANTINE, Verb.HOLD, Verb.STOP})


@dataclass(frozen=True, slots=True)
class Condition:
    """It holds when one of the values does."""

    field: Field
    values: tuple[str, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    verb: Verb
    value: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as it is since its `version`, which is that of the book at the time."""

    rule_id: str
    name: str
    priority: int
    conditions: tuple[Condition, ...]
    actions: tuple[Action, ...]
    exceptions: tuple[Condition, ...] = ()
    enabled: bool = True
    version: int = 0


@dataclass(frozen=True, slots=True)
class Book:
    """The rules of one scope in their order."""

    scope: str
    rules: tuple[Rule, ...] = ()
    version: int = 0

    def in_order(self) -> "Book":
        return replace(self, rules=tuple(sorted(self.rules, key=lambda rule: (rule.priority, rule.rule_id))))


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whom a verdict is about: the address that was given and the one it led to; no entity: outside."""

    address: str
    original: str
    entity_id: str


@dataclass(frozen=True, slots=True)
class Decision:
    """That a rule held, and what it did; kept with the mail."""

    scope: str
    rule_id: str
    version: int
    name: str
    actions: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules do with a mail for one addressee."""

    actions: tuple[Action, ...] = ()
    decisions: tuple[Decision, ...] = ()

    def values(self, verb: Verb) -> tuple[str, ...]:
        return tuple(action.value for action in self.actions if action.verb is verb)


@dataclass(frozen=True)
class Facts:
    """What rules ask of one mail; read once, when it is asked for."""

    message: Message
    content: bytes

    @cached_property
    def headers(self) -> headers.Headers:
        return headers.read(self.content)

    @cached_property
    def parts(self) -> tuple[mime.Part, ...]:
        return tuple(mime.parts(self.content))

    @cached_property
    def texts(self) -> tuple[str, ...]:
        return tuple(part.text.casefold() for part in self.parts)

    @cached_property
    def known(self) -> dict[Condition, bool]:
        """The answers so far to what does not depend on the addressee."""
        return {}

    def words(self, name: str) -> tuple[str, ...]:
        return tuple(mime.words(value).casefold() for value in self.headers.all(name.lower()))


Told = Callable[[Book, Rule, str], None]
"""Hears of each rule that was asked, and what came of it."""


def judge(books: Sequence[Book], facts: Facts, to: Addressee, told: Told | None = None) -> Verdict:
    """The verdict of the rules in `books`, in the order that they stand there."""
    actions: list[Action] = []
    decisions: list[Decision] = []
    for book in books:
        for rule in book.rules:
            why = _why_not(rule, facts, to)
            if told:
                told(book, rule, why or _said(rule.actions))
            if why:
                continue
            decisions.append(Decision(book.scope, rule.rule_id, rule.version, rule.name, _said(rule.actions)))
            actions += rule.actions
            if any(action.verb in ENDING for action in rule.actions):
                return Verdict(tuple(actions), tuple(decisions))
    return Verdict(tuple(actions), tuple(decisions))


def asks_for_address(books: Sequence[Book]) -> bool:
    """Whether a verdict may differ between two addressees of one entity."""
    return any(
        condition.field is Field.RECIPIENT
        for book in books
        for rule in book.rules
        for condition in (*rule.conditions, *rule.exceptions)
    )


def holds(condition: Condition, facts: Facts, to: Addressee) -> bool:
    if condition.field in ABOUT_RECIPIENT:
        return any(_of_recipient(condition.field, value, facts, to) for value in condition.values)
    known = facts.known.get(condition)
    if known is None:
        known = facts.known[condition] = any(
            _OF_MAIL[condition.field](facts, condition, value) for value in condition.values
        )
    return known


def _why_not(rule: Rule, facts: Facts, to: Addressee) -> str:
    """Why the rule does not hold; empty when it does."""
    if not rule.enabled:
        return "is switched off"
    for condition in rule.conditions:
        if not holds(condition, facts, to):
            return f"does not hold: {_shown(condition)}"
    for exception in rule.exceptions:
        if holds(exception, facts, to):
            return f"is excepted: {_shown(exception)}"
    return ""


def _of_recipient(field: Field, value: str, facts: Facts, to: Addressee) -> bool:
    if field is Field.RECIPIENT:
        return any(fnmatchcase(canonical(each), value.lower()) for each in (to.address, to.original))
    if field is Field.RECIPIENT_ENTITY:
        return to.entity_id == value
    ours = bool(facts.message.from_entity)
    return value == {(True, True): "inside", (True, False): "out"}.get((ours, bool(to.entity_id)), "in")


def _texts_hold(facts: Facts, _: Condition, phrase: str) -> bool:
    return any(phrase.casefold() in text for text in facts.texts)


def _attachments(of: Callable[[mime.Part], str]) -> "Asked":
    def asked(facts: Facts, _: Condition, pattern: str) -> bool:
        return _one_like((of(part).casefold() for part in facts.parts if part.attached), pattern)

    return asked


Asked = Callable[[Facts, Condition, str], bool]

_OF_MAIL: Mapping[Field, Asked] = {
    Field.SENDER: lambda facts, _, value: fnmatchcase(canonical(facts.message.sender), value.lower()),
    Field.SENDER_ENTITY: lambda facts, _, value: facts.message.from_entity == value,
    Field.HEADER: lambda facts, condition, value: _one_like(facts.words(condition.name), value),
    Field.SUBJECT: lambda facts, _, value: _one_like(facts.words("subject"), value),
    Field.LABEL: lambda facts, _, value: value.casefold() in facts.words("rossio-label"),
    Field.BODY: _texts_hold,
    Field.LARGER: lambda facts, _, value: facts.message.size > int(value),
    Field.ATTACHMENT_NAME: _attachments(lambda part: part.name),
    Field.ATTACHMENT_TYPE: _attachments(lambda part: part.kind),
    Field.AFTER: lambda facts, _, value: facts.message.accepted_at >= datetime.fromisoformat(value),
    Field.BEFORE: lambda facts, _, value: facts.message.accepted_at < datetime.fromisoformat(value),
}
"""How a condition about the mail itself is asked; with those about the recipient these are all."""


def _one_like(found: Iterator[str] | Sequence[str], pattern: str) -> bool:
    return any(fnmatchcase(each, pattern.casefold()) for each in found)


def _shown(condition: Condition) -> str:
    name = f" {condition.name}" if condition.name else ""
    return f"{condition.field}{name} {' or '.join(condition.values)}"


def _said(actions: Sequence[Action]) -> str:
    return ", ".join(" ".join(filter(None, (action.verb, action.name, action.value)))[:200] for action in actions)
