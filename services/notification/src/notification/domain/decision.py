"""Whether a notice is sent on a channel, and why: one table and one function."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from errors import Invalid

from notification.domain.vocabulary import Channel, Topic


class Rule(Enum):
    """What holds for a topic on a channel before anybody has said what they prefer."""

    FORCED = auto()
    ON = auto()
    OFF = auto()
    NEVER = auto()


# E-mail about delivered mail would answer each mail with one more. Citizens have no inbox here.
RULES: Final[Mapping[Topic, Mapping[Channel, Rule]]] = {
    Topic.MAIL: {Channel.IN_APP: Rule.ON, Channel.EMAIL: Rule.NEVER, Channel.SMS: Rule.OFF},
    Topic.DOCUMENT: {Channel.IN_APP: Rule.ON, Channel.EMAIL: Rule.ON, Channel.SMS: Rule.OFF},
    Topic.NEWS: {Channel.IN_APP: Rule.ON, Channel.EMAIL: Rule.OFF, Channel.SMS: Rule.OFF},
    Topic.PRESCRIPTION: {Channel.IN_APP: Rule.NEVER, Channel.EMAIL: Rule.FORCED, Channel.SMS: Rule.FORCED},
}


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided for one channel.

    `reason` is "forced", "never", "preference", "default", "no-address" (nothing to reach the person at)
    or "broadcast" (too many people to push to; those who asked for it get it).
    """

    channel: Channel
    send: bool
    reason: str


def decide(
    topic: Topic, *, preferences: Mapping[Channel, bool], reachable: AbstractSet[Channel], broadcast: bool = False
) -> tuple[Decision, ...]:
    """Decides for every channel.

    Args:
        topic: what the notice is about.
        preferences: what the person has switched on or off for the topic.
        reachable: the channels on which the person has an address.
        broadcast: the notice goes to many at once: pushed only to those who asked for it.
    """
    return tuple(
        _decide(channel, rule, preferences.get(channel), reachable=channel in reachable, broadcast=broadcast)
        for channel, rule in RULES[topic].items()
    )


def _decide(channel: Channel, rule: Rule, preferred: bool | None, *, reachable: bool, broadcast: bool) -> Decision:
    if rule is Rule.NEVER:
        return Decision(channel, send=False, reason="never")
    if rule is Rule.FORCED:
        send, reason = True, "forced"
    elif preferred is not None:
        send, reason = preferred, "preference"
    elif broadcast and rule is Rule.ON and channel is not Channel.IN_APP:
        send, reason = False, "broadcast"
    else:
        send, reason = rule is Rule.ON, "default"
    if send and not reachable:
        return Decision(channel, send=False, reason="no-address")
    return Decision(channel, send, reason)


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
