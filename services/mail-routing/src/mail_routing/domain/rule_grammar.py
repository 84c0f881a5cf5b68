"""What a rule may say: everything that would have no effect, or could not be carried out, is refused."""

import re
from datetime import datetime

import errors

from mail_routing.domain import address
from mail_routing.domain.rules import TIMES, Action, Condition, Field, Rule, Verb

_FIELD_NAME = re.compile(r"[\x21-\x39\x3b-\x7e]{1,76}")
# What other servers and programs act on is not for rules to say.
_NOT_OURS = frozenset({"received", "return-path", "dkim-signature", "from", "sender", "to", "cc", "date", "message-id"})
_DIRECTIONS = frozenset({"in", "out", "inside"})
_ADDRESSED = frozenset({Verb.REDIRECT, Verb.BCC})
_WITHOUT_VALUE = frozenset({Verb.STOP, Verb.REQUIRE_TLS})


def check(rule: Rule) -> None:
    """`Invalid` (RULE_...) that names the part of the rule which cannot be."""
    if not rule.actions:
        raise errors.Invalid("a rule that does nothing", reason="RULE_WITHOUT_ACTION")
    for condition in (*rule.conditions, *rule.exceptions):
        _check_condition(condition)
    for action in rule.actions:
        _check_action(action)
    if len({action.verb for action in rule.actions if action.verb in {Verb.REJECT, Verb.REDIRECT}}) > 1:
        raise errors.Invalid("a mail is rejected or redirected", reason="RULE_CONTRADICTS_ITSELF")


def _check_condition(condition: Condition) -> None:
    if not condition.values or not all(condition.values):
        raise _condition(condition, "needs values")
    if (condition.field is Field.HEADER) != bool(condition.name):
        raise _condition(condition, "has a name when it is about a header field, and no other has")
    for value in condition.values:
        if condition.field is Field.DIRECTION and value not in _DIRECTIONS:
            raise _condition(condition, "is in, out or inside")
        if condition.field is Field.LARGER and not re.fullmatch(r"\d{1,12}", value):
            raise _condition(condition, "is a number of octets")
        if condition.field in TIMES and not _time(value):
            raise _condition(condition, "is a time with its zone, such as 2026-12-31T00:00:00+00:00")


def _check_action(action: Action) -> None:
    if (action.verb is Verb.ADD_HEADER) != bool(action.name) and action.verb is not Verb.HOLD:
        raise _action(action, "has a name when it adds a header field or holds for a group, and no other has")
    if (action.verb in _WITHOUT_VALUE) == bool(action.value):
        raise _action(action, "needs a value, or has none to take")
    if action.verb in _ADDRESSED:
        try:
            address.parse(action.value)
        except errors.Invalid:
            raise _action(action, "is an address") from None
    if action.verb is Verb.ADD_HEADER and (
        not _FIELD_NAME.fullmatch(action.name) or action.name.lower() in _NOT_OURS or not _one_line(action.value)
    ):
        raise _action(action, "is a header field of one line that is ours to add")
    if action.verb in {Verb.REJECT, Verb.QUARANTINE, Verb.HOLD} and not _one_line(action.value):
        raise _action(action, "is one line")


def _one_line(text: str) -> bool:
    return text.isprintable() and len(text) <= 400


def _time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _condition(condition: Condition, what: str) -> errors.Invalid:
    return errors.Invalid(f"the condition {condition.field} {what}", reason="RULE_CONDITION")


def _action(action: Action, what: str) -> errors.Invalid:
    return errors.Invalid(f"the action {action.verb} {what}", reason="RULE_ACTION")
