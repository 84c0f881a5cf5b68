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
MODERATED_FOR = timedelta(days=5)
DELAY_AFTER = timedelta(hours=4)
"""So long after it came in, the sender hears that a mail still waits."""


class State(Enum):
    """Where the mail of one recipient is; all but DEFERRED and PENDING are final."""

    DEFERRED = "deferred"
    PENDING = "pending"  # for moderators
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
    """A former attempt at a recipient, or what a moderator decided."""

    at: datetime
    state: State
    status: str
    reply: str
    by: str = ""


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
    until: datetime | None = None  # while it is PENDING: when it is given up
    by: str = ""  # the moderator who decided that it is so


@dataclass(frozen=True, slots=True)
class Plan:
    """One expansion of a mail that needs several shards: those after the first wait to be released.

    Shard 0 is written last and only once, so that of two expansions (a worker died, the directory changed)
    one alone is delivered.
    """

    id: str
    shards: int  # up to this one; shard 0 knows how many there are


@dataclass(frozen=True, slots=True)
class Onward:
    """The shards, by id, that a list goes on in once its moderators have approved; they wait to be released."""

    message_class: MessageClass
    ids: tuple[str, ...]


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
    since: datetime | None = None  # when what was kept back was let go
    onward: tuple[Onward, ...] = ()

    @property
    def tried_from(self) -> datetime:
        """When the five days began in which it is tried."""
        return self.since or self.message.accepted_at

    def being_tried(self, now: datetime) -> bool:
        """Whether somebody who claimed it makes an attempt, of which the outcome must not be lost."""
        return self.claimed and self.due is not None and self.due > now

    @property
    def quarantined(self) -> bool:
        """Some of it is in quarantine: it may be released."""
        return any(delivery.state is State.QUARANTINED for delivery in self.deliveries)

    @property
    def pending(self) -> tuple[Delivery, ...]:
        """What waits for moderators; none is looked for where nothing is held for them."""
        if not self.treatment.held:
            return ()
        return tuple(delivery for delivery in self.deliveries if delivery.state is State.PENDING)

    @property
    def expires(self) -> datetime | None:
        """When the first of what waits for moderators is given up."""
        return min((delivery.until for delivery in self.pending if delivery.until), default=None)

    @property
    def may_go_on(self) -> bool:
        """It may yet be delivered, so that its content stays."""
        return bool(self.waiting or self.pending) or self.quarantined

    @property
    def ended_at(self) -> datetime | None:
        """When the last recipient came to an end; None while anything is left to do, or may be."""
        if self.may_go_on or self.due is not None:
            return None
        return max((delivery.at for delivery in self.deliveries if delivery.at), default=self.message.accepted_at)

    @property
    def planned(self) -> list[str]:
        """Of the first shard of a plan: the ids of the others."""
        assert self.plan is not None
        return [shard_id(self.message.message_id, n, self.plan) for n in range(1, self.plan.shards)]

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


def attempted(
    shard: Shard,
    results: Mapping[Destination, Result],
    now: datetime,
    jitter: float,
    moderated_for: timedelta = MODERATED_FOR,
) -> Progress:
    """The shard after an attempt at its waiting recipients, with a result for each.

    What is deferred again after five days is bounced with the last word of the other side. What is to wait for
    moderators does so from now on.
    """
    deliveries = [_after(delivery, results, now) for delivery in shard.deliveries]
    attempts = max((d.attempts for d in deliveries if d.state is State.DEFERRED), default=0)
    due = retry.next_attempt(shard.tried_from, now, attempts, jitter) if attempts else None
    if attempts and due is None:
        deliveries = [_expired(delivery) for delivery in deliveries]
    if shard.treatment.held:
        deliveries = [pending_until(delivery, now + moderated_for) for delivery in deliveries]
    changed: list[Delivery] = []
    notices: list[tuple[Delivery, Action]] = []
    for at, (old, new) in enumerate(zip(shard.deliveries, deliveries, strict=True)):
        if new is old:
            continue
        action = action_for(shard, new, now)
        if action is Action.DELAYED:
            new = deliveries[at] = replace(new, told=(*new.told, "DELAY"))  # noqa: PLW2901 - it is told from now on
        changed.append(new)
        if action:
            notices.append((new, action))
    after = replace(shard, deliveries=tuple(deliveries), due=due, urged=False, claimed=False)
    if expires := after.expires:
        after = replace(after, due=min(due, expires) if due else expires)
    return Progress(after, tuple(changed), tuple(notices))


def action_for(shard: Shard, delivery: Delivery, now: datetime) -> Action | None:
    """What the sender is to hear (RFC 3461 section 4.1); bulk mail hears of delays only when it asks."""
    notify, told = delivery.destination.notify, delivery.told
    match delivery.state:
        case State.BOUNCED if not notify or "FAILURE" in notify:
            return Action.FAILED
        case State.DELIVERED if "SUCCESS" in notify and "SUCCESS" not in told:
            return Action.RELAYED if delivery.destination.kind is Kind.RELAY else Action.DELIVERED
        case State.DEFERRED if "DELAY" not in told and now - shard.tried_from >= DELAY_AFTER:
            wanted = "DELAY" in notify or (not notify and shard.message.message_class is not MessageClass.BULK)
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
    last = Try(delivery.at, delivery.state, delivery.status, delivery.reply, delivery.by)
    return (*delivery.tries, last)[-_TRIES_KEPT:]


def pending_until(delivery: Delivery, until: datetime) -> Delivery:
    new = delivery.state is State.PENDING and delivery.until is None
    return replace(delivery, until=until) if new else delivery


def _expired(delivery: Delivery) -> Delivery:
    if delivery.state is not State.DEFERRED:
        return delivery
    return replace(delivery, state=State.BOUNCED, status="4.4.7", reply=f"Given up after five days: {delivery.reply}")
