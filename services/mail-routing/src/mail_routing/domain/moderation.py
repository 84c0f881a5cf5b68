"""Mail that waits for moderators, as those who decide about it see it."""

from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from mail_routing.domain import delivery, quarantine
from mail_routing.domain.delivery import Action, Delivery, Progress, Shard, State, with_last
from mail_routing.domain.route import Destination, Kind


class Decision(Enum):
    """What a moderator says of a mail."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Panel:
    """Those who decide: the moderators of a list, or the members of a group; the entity's mail administrators may too.

    No group: they alone.
    """

    entity_id: str
    group_id: str = ""
    of_list: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """By which what waits for it is found."""
        group = (f"{'list' if self.of_list else 'group'}:{self.group_id}",) if self.group_id else ()
        return (*group, entity_key(self.entity_id))


def entity_key(entity_id: str) -> str:
    return f"entity:{entity_id}"


def panel(shard: Shard, to: Destination) -> Panel:
    if to.kind is Kind.LIST:
        return Panel(to.entity_id, to.target, of_list=True)
    return Panel(quarantine.owner(shard), shard.treatment.moderators)


def moderation_id(shard: Shard, to: Destination) -> str:
    """What of a mail is decided about at once: a list that it is for, or all that one rule holds."""
    subject = to.target if to.kind is Kind.LIST else shard.treatment.decisions[-1].rule_id
    return f"{shard.message.message_id}:{subject}"


def by_id(shard: Shard, deliveries: Collection[Delivery]) -> dict[str, list[Delivery]]:
    """The deliveries by their moderation ids."""
    found: defaultdict[str, list[Delivery]] = defaultdict(list)
    for each in deliveries:
        found[moderation_id(shard, each.destination)].append(each)
    return found


def keys(shard: Shard) -> list[str]:
    """By which the shard is found while something of it waits."""
    panels = {panel(shard, each.destination) for each in shard.pending}
    return sorted({key for each in panels for key in each.keys})


def decided(
    shard: Shard, wanted: Collection[Delivery], decision: Decision, by: str, reason: str, now: datetime
) -> Progress:
    """The shard once somebody has decided about some that wait; a reason may be empty."""
    approved = decision is Decision.APPROVE
    state, status = (State.DEFERRED, "4.0.0") if approved else (State.BOUNCED, "5.7.1")
    said = "Approved" if approved else "Not approved by the moderators"
    reply = f"{said}: {reason}" if reason else said
    return _changed(shard, wanted, lambda each: _turned(each, state, status, reply, now, by), now)


def expired(shard: Shard, now: datetime) -> Progress:
    """The shard once what has waited too long is given up."""
    overdue = [each for each in shard.pending if each.until and each.until <= now]
    said = "The moderators have not decided in time"
    return _changed(shard, overdue, lambda each: _turned(each, State.BOUNCED, "5.4.7", said, now), now)


def gone_on(shard: Shard, lists: Collection[Delivery], count: int, now: datetime) -> Progress:
    """The shard once the lists that were approved have gone on to so many recipients."""
    said = f"Went on to {count} recipients"
    return _changed(shard, lists, lambda each: _turned(each, State.DELIVERED, "2.0.0", said, now), now)


def decision_of(known: Delivery) -> Decision | None:
    """What a moderator has decided about it; None: nobody has, or it is long ago."""
    last = next((each for each in reversed(with_last(known)) if each.by), None)
    if last is None:
        return None
    return Decision.APPROVE if last.state is State.DEFERRED else Decision.REJECT


def _turned(before: Delivery, state: State, status: str, reply: str, now: datetime, by: str = "") -> Delivery:
    tries = with_last(before)
    return replace(before, state=state, status=status, reply=reply, at=now, by=by, until=None, tries=tries)


def _changed(
    shard: Shard, wanted: Collection[Delivery], after: Callable[[Delivery], Delivery], now: datetime
) -> Progress:
    """It is due at once when something is to be done, else when what still waits for moderators is given up."""
    chosen = {each.destination for each in wanted}
    deliveries = tuple(after(each) if each.destination in chosen else each for each in shard.deliveries)
    changed = tuple(each for each in deliveries if each.destination in chosen)
    failed = (each for each in changed if delivery.action_for(shard, each, now) is Action.FAILED)
    notices = tuple((each, Action.FAILED) for each in failed)
    new = replace(shard, deliveries=deliveries, claimed=False)
    if new.waiting:
        return Progress(replace(new, due=None if new.held else now, since=now), changed, notices)
    return Progress(replace(new, due=new.expires), changed, notices)
