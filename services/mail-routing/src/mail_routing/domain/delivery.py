"""What has become of a mail, recipient by recipient: the state that survives restarts.

A shard is up to a thousand recipients of one mail, in one document. It is due when a recipient waits; whoever
claims it carries on, and no pod owns it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from mail_routing.domain import retry
from mail_routing.domain.message import Message, MessageClass
from mail_routing.domain.route import Destination, Kind
from mail_routing.domain.treatment import NONE, Treatment

SHARD_RECIPIENTS = 1000
_TRIES_KEPT = 19
DELAY_AFTER = timedelta(hours=4)
"""So long after it came in, the sender hears that a mail still waits."""


class State(Enum):
    """Where the mail of one recipient is; all but DEFERRED are final."""

    DEFERRED = "deferred"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    QUARANTINED = "quarantined"
    DROPPED = "dropped"


ENDED = frozenset({State.DELIVERED, State.BOUNCED, State.DROPPED})
"""Of a mail of which all recipients are here nobody needs the content any more."""


@dataclass(frozen=True, slots=True)
class Result:
    """How one attempt ended: enhanced status (RFC 3463) and the reply or reason in words."""

    state: State
    status: str
    reply: str
    remote: str = ""  # the server that said so
    informed: bool = False  # it took over to tell the sender of success (RFC 3461 section 6.2)


@dataclass(frozen=True, slots=True)
class Try:
    """A former attempt at a recipient."""

    at: datetime
    state: State
    status: str
    reply: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One recipient's state; `tries` are the attempts before the last one, at most twenty."""

    destination: Destination
    state: State = State.DEFERRED
    status: str = "4.0.0"
    reply: str = ""
    attempts: int = 0
    at: datetime | None = None
    remote: str = ""
    told: tuple[str, ...] = ()  # of "DELAY" and "SUCCESS", what the sender knows or hears from others
    tries: tuple[Try, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """One expansion of a mail that needs several shards: those after the first wait to be released.

    Shard 0 is written last and only once, so that of two expansions (a worker died, the directory changed)
    one alone is delivered.
    """

    id: str
    shards: int  # up to this one; shard 0 knows how many there are


def as_plan(message: Message) -> Message:
    """A mail of more than one shard as it is delivered: what goes to a thousand and more is bulk, unless urgent."""
    normal = message.message_class is MessageClass.NORMAL
    return replace(message, message_class=MessageClass.BULK) if normal else message


@dataclass(frozen=True, slots=True)
class Shard:
    """Part `number` of the recipients of `message`; `due` is None once all of them are final, or while it is held."""

    message: Message
    number: int
    deliveries: tuple[Delivery, ...]
    due: datetime | None
    version: int = 1
    plan: Plan | None = None
    traceparent: str = ""  # of the trace in which the mail came in
    treatment: Treatment = NONE  # what the rules do to it
    held: bool = False  # by an administrator
    urged: bool = False  # by an administrator: the site's back-off is not minded
    claimed: bool = False  # until `due`, by whoever makes an attempt

    def being_tried(self, now: datetime) -> bool:
        """Whether somebody who claimed it makes an attempt, of which the outcome must not be lost."""
        return self.claimed and self.due is not None and self.due > now

    @property
    def kept_back(self) -> bool:
        """Some of it is quarantined: it may be released, and so its content stays."""
        return any(delivery.state is State.QUARANTINED for delivery in self.deliveries)

    @property
    def id(self) -> str:
        return shard_id(self.message.message_id, self.number, self.plan)

    @property
    def waiting(self) -> tuple[Delivery, ...]:
        return tuple(delivery for delivery in self.deliveries if delivery.state is State.DEFERRED)


def shard_id(message_id: str, number: int, plan: Plan | None = None) -> str:
    """Shard 0 is the one that says that a mail was seen, so that its id depends on the mail alone."""
    return f"{message_id}/{plan.id}/{number}" if plan and number else f"{message_id}/0"


class Action(Enum):
    """What a sender is told of a recipient (RFC 3464 section 2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"  # to a server that will not tell


@dataclass(frozen=True, slots=True)
class Progress:
    """A shard after an attempt, the deliveries that the attempt changed, and what the sender hears of it."""

    shard: Shard
    changed: tuple[Delivery, ...]
    notices: tuple[tuple[Delivery, Action], ...] = ()


def attempted(shard: Shard, results: Mapping[Destination, Result], now: datetime, jitter: float) -> Progress:
    """The shard after an attempt at its waiting recipients, with a result for each.

    What is deferred again after five days is bounced with the last word of the other side.
    """
    deliveries = [_after(delivery, results, now) for delivery in shard.deliveries]
    attempts = max((d.attempts for d in deliveries if d.state is State.DEFERRED), default=0)
    due = retry.next_attempt(shard.message.accepted_at, now, attempts, jitter) if attempts else None
    if attempts and due is None:
        deliveries = [_expired(delivery) for delivery in deliveries]
    changed: list[Delivery] = []
    notices: list[tuple[Delivery, Action]] = []
    for at, (old, new) in enumerate(zip(shard.deliveries, deliveries, strict=True)):
        if new is old:
            continue
        action = _action(shard.message, new, now)
        if action is Action.DELAYED:
            new = deliveries[at] = replace(new, told=(*new.told, "DELAY"))  # noqa: PLW2901 - it is told from now on
        changed.append(new)
        if action:
            notices.append((new, action))
    after = replace(shard, deliveries=tuple(deliveries), due=due, urged=False, claimed=False)
    return Progress(after, tuple(changed), tuple(notices))


def _action(message: Message, delivery: Delivery, now: datetime) -> Action | None:
    """What the sender is to hear (RFC 3461 section 4.1); bulk mail hears of delays only when it asks."""
    notify, told = delivery.destination.notify, delivery.told
    match delivery.state:
        case State.BOUNCED if not notify or "FAILURE" in notify:
            return Action.FAILED
        case State.DELIVERED if "SUCCESS" in notify and "SUCCESS" not in told:
            return Action.RELAYED if delivery.destination.kind is Kind.RELAY else Action.DELIVERED
        case State.DEFERRED if "DELAY" not in told and now - message.accepted_at >= DELAY_AFTER:
            wanted = "DELAY" in notify or (not notify and message.message_class is not MessageClass.BULK)
            return Action.DELAYED if wanted else None
    return None


def _after(delivery: Delivery, results: Mapping[Destination, Result], now: datetime) -> Delivery:
    result = results.get(delivery.destination)
    if delivery.state is not State.DEFERRED or result is None:
        return delivery
    # Written out: `replace` takes twice as long, and this is done for each recipient of each mail.
    return Delivery(
        delivery.destination,
        state=result.state,
        status=result.status,
        reply=result.reply,
        attempts=delivery.attempts + 1,
        at=now,
        remote=result.remote,
        told=(*delivery.told, "SUCCESS") if result.informed and result.state is State.DELIVERED else delivery.told,
        tries=with_last(delivery),
    )


def with_last(delivery: Delivery) -> tuple[Try, ...]:
    """The tries of a delivery of which something new is to be said."""
    if delivery.at is None:
        return delivery.tries
    last = Try(delivery.at, delivery.state, delivery.status, delivery.reply)
    return (*delivery.tries, last)[-_TRIES_KEPT:]


def _expired(delivery: Delivery) -> Delivery:
    if delivery.state is not State.DEFERRED:
        return delivery
    return replace(delivery, state=State.BOUNCED, status="4.4.7", reply=f"Given up after five days: {delivery.reply}")
