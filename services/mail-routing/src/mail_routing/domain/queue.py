"""Mail that waits, as administrators see it and act on it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from mail_routing.domain.address import canonical
from mail_routing.domain.delivery import Delivery, Progress, Shard, State
from mail_routing.domain.message import MessageClass

EVERYTHING = ""
"""The scope of those who act for all entities."""
NULL_SENDER = "<>"
"""How a filter names the reverse path of bounces (RFC 5321 section 4.5.5)."""
_MOST_SITES = 50
_MAILBOXES = "mailboxes"


class QueueAction(Enum):
    """What is done to an entry."""

    HOLD = "hold"
    RELEASE = "release"
    RETRY = "retry"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries; what is empty does not restrict."""

    site: str = ""
    held: bool = False
    message_class: MessageClass | None = None
    sender: str = ""  # "<>" is the null sender

    @property
    def restricts(self) -> bool:
        return bool(self.site or self.held or self.message_class or self.sender)


def sites(shard: Shard) -> tuple[str, ...]:
    """The destination sites for which recipients wait, at most fifty."""
    found = dict.fromkeys(waiting.destination.hop or _MAILBOXES for waiting in shard.waiting)
    return tuple(found)[:_MOST_SITES]


def owner(shard: Shard) -> str:
    """The entity whose administrators may act on it: the sender's, else that of all who wait; "" is the ministry."""
    if shard.message.entity_id:
        return shard.message.entity_id
    entities = {waiting.destination.entity_id for waiting in shard.waiting}
    return entities.pop() if len(entities) == 1 else EVERYTHING


def keys(shard: Shard) -> Iterator[str]:
    """By which it is found: one for each scope, site and state that a filter may name, and one for its sender."""
    yield _sender_key(shard.message.sender or NULL_SENDER)
    for scope in dict.fromkeys((EVERYTHING, owner(shard))):
        for site in ("", *sites(shard)):
            yield _key(scope, site, held=False)
            if shard.held:
                yield _key(scope, site, held=True)


def wanted_keys(scope: str, wanted: Filter) -> tuple[str, ...]:
    """The keys that an entry which the filter chooses has all of; the class has none."""
    place = _key(scope, wanted.site, held=wanted.held)
    return (_sender_key(wanted.sender), place) if wanted.sender else (place,)


def _key(scope: str, site: str, *, held: bool) -> str:
    return f"{scope}|{site}|{'held' if held else ''}"


def _sender_key(sender: str) -> str:
    return f"from:{canonical(sender)}"


def changed(shard: Shard, action: QueueAction, now: datetime) -> Progress | None:
    """The entry after the action; None where it has nothing to act on."""
    never_tried = shard.due is None and not shard.held
    if not shard.waiting or never_tried or shard.being_tried(now):
        return None
    match action:
        case QueueAction.HOLD if not shard.held:
            return Progress(replace(shard, held=True, due=None), ())
        case QueueAction.RELEASE if shard.held:
            return Progress(replace(shard, held=False, due=now), ())
        case QueueAction.RETRY if not shard.held:
            return Progress(replace(shard, due=now, urged=True), ())
        case QueueAction.DROP:
            deliveries = tuple(_dropped(delivery, now) for delivery in shard.deliveries)
            gone = tuple(new for new in deliveries if new.state is State.DROPPED and new.at == now)
            after = replace(shard, deliveries=deliveries, held=False)
            return Progress(replace(after, due=after.expires), gone)
    return None


def _dropped(delivery: Delivery, now: datetime) -> Delivery:
    if delivery.state is not State.DEFERRED:
        return delivery
    return replace(delivery, state=State.DROPPED, reply=f"Dropped by an administrator: {delivery.reply}", at=now)
