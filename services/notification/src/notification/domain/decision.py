"""Whether, when and how a notice is sent on a channel, and why: one table and one function."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from errors import Invalid

from notification.domain.quiet import DEFAULT_ZONE, Digest, QuietHours, next_digest
from notification.domain.vocabulary import Channel, Held, Topic


class Rule(StrEnum):
    """What holds for a topic on a channel before anybody has said what they prefer."""

    FORCED = "forced"
    ON = "on"
    OFF = "off"
    NEVER = "never"


def _rules(in_app: Rule, email: Rule, sms: Rule, push: Rule, webhook: Rule) -> Mapping[Channel, Rule]:
    return dict(zip(Channel, (in_app, email, sms, push, webhook), strict=True))


# E-mail about delivered mail would answer each mail with one more. Who has registered a device or a webhook
# wants to hear of what is theirs alone.
RULES: Final[Mapping[Topic, Mapping[Channel, Rule]]] = {
    Topic.MAIL: _rules(Rule.ON, Rule.NEVER, Rule.OFF, Rule.ON, Rule.ON),
    Topic.DOCUMENT: _rules(Rule.ON, Rule.ON, Rule.OFF, Rule.ON, Rule.ON),
    Topic.NEWS: _rules(Rule.ON, Rule.OFF, Rule.OFF, Rule.OFF, Rule.OFF),
    Topic.PRESCRIPTION: _rules(Rule.NEVER, Rule.FORCED, Rule.FORCED, Rule.NEVER, Rule.NEVER),
    Topic.SERVICE: _rules(Rule.ON, Rule.ON, Rule.ON, Rule.ON, Rule.ON),
    Topic.ALERT: _rules(Rule.FORCED, Rule.FORCED, Rule.FORCED, Rule.FORCED, Rule.FORCED),
}
# What wakes nobody needs no quiet hours.
_SILENT: Final = frozenset({Channel.IN_APP, Channel.EMAIL, Channel.WEBHOOK})
_DIGESTED: Final = frozenset({Channel.EMAIL})


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody has chosen: topics on channels, quiet hours in their zone, how often."""

    channels: Mapping[Channel, bool] = field(default_factory=dict)
    quiet: QuietHours | None = None
    zone: str = DEFAULT_ZONE
    digest: Digest = Digest.IMMEDIATE


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided for one channel.

    `reason` is "forced", "never", "preference", "default", "policy" (of the entity), "no-address" (nothing to
    reach the person at), "no-text" (the template has none, or the sender did not ask for the channel),
    "suppression-list" (the address bounced, or its owner unsubscribed) or "broadcast" (too many people to push
    to; those who asked for it get it). A message that is sent waits until `due_at`, and `held` says why; with
    `after` it waits for the one on that channel to fail.
    """

    channel: Channel
    send: bool
    reason: str
    held: Held = Held.NOT
    due_at: datetime | None = None
    after: Channel | None = None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """All that a decision rests on beside the topic and what the person chose.

    reachable: the channels on which there is an address.
    offered: the channels for which there is something to say; None: all.
    policy: what the person's entity has set for the topic; it goes before the table and before preferences.
    suppressed: the channels whose address is on the suppression list.
    order: in which order channels are tried, each after the one before has failed; empty: all at once.
    not_before: when it is scheduled for.
    limited_until: when the person may be sent something again.
    broadcast: it goes to many at once: pushed only to those who asked for it.
    """

    reachable: AbstractSet[Channel]
    offered: AbstractSet[Channel] | None = None
    policy: Mapping[Channel, Rule] = field(default_factory=dict)
    suppressed: AbstractSet[Channel] = frozenset()
    order: Sequence[Channel] = ()
    not_before: datetime | None = None
    limited_until: datetime | None = None
    broadcast: bool = False


def decide(topic: Topic, choice: Choice, circumstances: Circumstances, at: datetime) -> tuple[Decision, ...]:
    """Decides for every channel, at a time (aware)."""
    decided = [_whether(topic, channel, choice, circumstances) for channel in RULES[topic]]
    timed = [_when(topic, each, choice, circumstances, at) if each.send else each for each in decided]
    return tuple(_in_order(timed, circumstances.order))


def _whether(topic: Topic, channel: Channel, choice: Choice, there: Circumstances) -> Decision:
    rule = RULES[topic][channel]
    if rule is Rule.NEVER:
        return Decision(channel, send=False, reason="never")
    if there.offered is not None and channel not in there.offered:
        return Decision(channel, send=False, reason="no-text")
    send, reason = _wanted(channel, rule, choice.channels.get(channel), there)
    if send and channel not in there.reachable:
        return Decision(channel, send=False, reason="no-address")
    if send and channel in there.suppressed:
        return Decision(channel, send=False, reason="suppression-list")
    return Decision(channel, send, reason)


def _wanted(channel: Channel, rule: Rule, preferred: bool | None, there: Circumstances) -> tuple[bool, str]:
    if rule is Rule.FORCED:
        return True, "forced"
    set_by_entity = there.policy.get(channel)
    if set_by_entity in {Rule.FORCED, Rule.NEVER}:
        return set_by_entity is Rule.FORCED, "policy"
    if preferred is not None:
        return preferred, "preference"
    if there.broadcast and rule is Rule.ON and channel is not Channel.IN_APP:
        return False, "broadcast"
    if set_by_entity is not None:
        return set_by_entity is Rule.ON, "policy"
    return rule is Rule.ON, "default"


def _when(topic: Topic, decision: Decision, choice: Choice, there: Circumstances, at: datetime) -> Decision:
    """What is held longest says why."""
    waits: list[tuple[datetime, Held]] = []
    if there.not_before is not None and there.not_before > at:
        waits.append((there.not_before, Held.SCHEDULED))
    channel = decision.channel
    if RULES[topic][channel] is not Rule.FORCED and channel is not Channel.IN_APP:
        begin = waits[0][0] if waits else at
        zone = ZoneInfo(choice.zone)
        if there.limited_until is not None and there.limited_until > begin:
            waits.append((there.limited_until, Held.RATE))
        if channel in _DIGESTED and (digest := next_digest(choice.digest, begin, zone)) is not None:
            waits.append((digest, Held.DIGEST))
        if channel not in _SILENT and choice.quiet is not None:
            quiet = choice.quiet.until(max([begin, *(each for each, _ in waits)]), zone)
            waits += [(quiet, Held.QUIET)] if quiet is not None else []
    if not waits:
        return decision
    due_at, held = max(waits)
    return replace(decision, due_at=due_at, held=held)


def _in_order(decided: Sequence[Decision], order: Sequence[Channel]) -> list[Decision]:
    """Lets each channel wait for the one before it that is sent."""
    sent = {each.channel for each in decided if each.send}
    ranked = [channel for channel in order if channel in sent]
    before = dict(zip(ranked[1:], ranked, strict=False))
    return [
        replace(each, after=before[each.channel], held=Held.FALLBACK) if each.channel in before else each
        for each in decided
    ]


def may_be_preferred(topic: Topic, channel: Channel) -> None:
    """Raises Invalid where the rule leaves no choice."""
    rule = RULES[topic][channel]
    if rule in {Rule.FORCED, Rule.NEVER}:
        raise Invalid(
            f"{topic} on {channel} is {'always' if rule is Rule.FORCED else 'never'} sent",
            reason="PREFERENCE_FIXED",
            topic=topic,
            channel=channel,
        )
