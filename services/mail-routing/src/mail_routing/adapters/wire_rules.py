"""Transport rules: contracts to domain and back."""

import errors
from rossio.mail.v1 import rules_pb2

from mail_routing.application.preview_rule import Held, Summary
from mail_routing.application.rule_changes import Entry
from mail_routing.domain.rules import Action, Condition, Field, Rule, Verb


def rule(wire: rules_pb2.Rule) -> Rule:
    """`Invalid` (RULE_...) for words that no rule knows."""
    return Rule(
        rule_id=wire.rule_id,
        name=wire.name,
        priority=wire.priority,
        conditions=tuple(map(_condition, wire.conditions)),
        exceptions=tuple(map(_condition, wire.exceptions)),
        actions=tuple(map(_action, wire.actions)),
        enabled=not wire.disabled,
    )


def entry(entry: Entry) -> rules_pb2.Rule:
    rule = entry.rule
    wire = rules_pb2.Rule(
        rule_id=rule.rule_id,
        name=rule.name,
        priority=rule.priority,
        conditions=map(_condition_wire, rule.conditions),
        exceptions=map(_condition_wire, rule.exceptions),
        actions=(rules_pb2.RuleAction(verb=each.verb, value=each.value, name=each.name) for each in rule.actions),
        disabled=not rule.enabled,
        version=rule.version,
        changed_by=entry.by,
        removed=entry.removed,
    )
    wire.changed_at.FromDatetime(entry.at)
    return wire


def previewed(found: Held | Summary) -> rules_pb2.PreviewRuleResponse:
    if isinstance(found, Summary):
        summary = rules_pb2.PreviewSummary(asked=found.asked, held=found.held, unread=found.unread, more=found.more)
        return rules_pb2.PreviewRuleResponse(summary=summary)
    mail = rules_pb2.PreviewedMail(
        message_id=found.message.message_id,
        sender=found.message.sender,
        size=found.message.size,
        recipients=found.recipients,
        recipient_count=found.count,
    )
    mail.accepted_at.FromDatetime(found.message.accepted_at)
    return rules_pb2.PreviewRuleResponse(mail=mail)


def _condition(wire: rules_pb2.RuleCondition) -> Condition:
    try:
        return Condition(Field(wire.field), tuple(wire.values), wire.name)
    except ValueError:
        raise errors.Invalid(f"no condition is called {wire.field}", reason="RULE_CONDITION") from None


def _action(wire: rules_pb2.RuleAction) -> Action:
    try:
        return Action(Verb(wire.verb), wire.value, wire.name)
    except ValueError:
        raise errors.Invalid(f"no action is called {wire.verb}", reason="RULE_ACTION") from None


def _condition_wire(condition: Condition) -> rules_pb2.RuleCondition:
    return rules_pb2.RuleCondition(field=condition.field, values=condition.values, name=condition.name)
