"""A notification: one person told of one thing, and what becomes of it on each channel."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Self

from notification.domain.decision import Decision
from notification.domain.vocabulary import Channel, Held, Lane, Status, Topic

_WAITS_NO_MORE: Final[Mapping[str, Any]] = {"held": Held.NOT, "due_at": None, "falls_back_at": None}


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One channel of a notification: what was decided, and where the message is.

    `reference` is the provider's name for the message, or its names for the parts, with a blank between them; of parts,
    `arrived` are those that have. `attempts` counts submissions that were begun, and
    `in_doubt` says that the last one has no known end: the provider may have the message. `due_at`, `held` and
    `after` say what it waits for, if it does; at `falls_back_at` the channel behind it in the order is tried all the
    same. `target` is a digest of the address, by which it can be suppressed.
    """

    channel: Channel
    send: bool
    reason: str
    status: Status
    at: datetime
    provider: str = ""
    reference: str = ""
    attempts: int = 0
    in_doubt: bool = False
    due_at: datetime | None = None
    held: Held = Held.NOT
    after: Channel | None = None
    falls_back_at: datetime | None = None
    target: str = ""
    arrived: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether it is to be handed to a provider now."""
        return self.status is Status.PENDING and self.held is Held.NOT

    @classmethod
    def of(cls, decision: Decision, at: datetime, target: str = "") -> Self:
        """What follows from a decision; the inbox is ours, so what is for it has arrived."""
        status = Status.DELIVERED if decision.channel is Channel.IN_APP else Status.PENDING
        return cls(
            channel=decision.channel,
            send=decision.send,
            reason=decision.reason,
            status=status if decision.send else Status.SUPPRESSED,
            at=at,
            due_at=decision.due_at,
            held=decision.held,
            after=decision.after,
            target=target,
        )

    def released(self, at: datetime) -> Self:
        """Waits no more for what has come: its time, when that is reached."""
        waits = self.status is Status.PENDING and self.after is None and self.due_at is not None and self.due_at <= at
        return replace(self, due_at=None, held=Held.NOT) if waits else self


@dataclass(frozen=True, slots=True)
class Notification:
    """One person told of one thing.

    `key` is natural and unique: the thing and the person, so that the same thing told twice is one
    notification. `sealed` holds the encrypted message by channel. `titles` is the title by locale, of those that an
    earlier release has taken in, whose messages are made from it.
    """

    notification_id: str
    key: str
    topic: Topic
    lane: Lane
    entity_id: str
    person_id: str
    at: datetime
    # Until when messages not yet handed over are still worth sending, and when all of it may go.
    expires_at: datetime
    kept_until: datetime
    dispatches: tuple[Dispatch, ...]
    requested_by: str = ""
    subject_id: str = ""
    titles: Mapping[str, str] = field(default_factory=dict)
    read: bool = False
    # Its time has passed: nothing more is waited for, though a late receipt is still believed.
    closed: bool = False
    sealed: Mapping[Channel, bytes] = field(default_factory=dict)
    # Its own name at who asked for it, whom each change is told where `followed`.
    reference: str = ""
    followed: bool = False
    # Where channels follow each other: how long each has to arrive, before the next one is tried.
    turn: timedelta | None = None
    # Asked for with a test key: it goes to nobody.
    test: bool = False
    # Of a digest: the notifications that it stands for.
    members: tuple[str, ...] = ()
    # Of a bulk job: its chunk there, its row, and the round in which it was sent.
    chunk: str = ""
    row: int = 0
    round: int = 1
    version: int = 1

    @property
    def in_inbox(self) -> bool:
        return not self.test and any(each.channel is Channel.IN_APP and each.send for each in self.dispatches)

    @property
    def of_directory(self) -> bool:
        """Whether it tells somebody who works here of what concerns them as long as they do."""
        return not self.requested_by and self.topic not in {Topic.SERVICE, Topic.PRESCRIPTION}

    @property
    def may_be_ended(self) -> bool:
        """Whether its recipient may want no more mails like it."""
        mail = self.on(Channel.EMAIL)
        return mail is not None and bool(mail.target) and mail.reason not in {"forced", "policy"}

    @property
    def open(self) -> bool:
        """Whether it is waited for what becomes of it on some channel."""
        return not self.closed and not all(each.status.final for each in self.dispatches)

    @property
    def due_at(self) -> datetime | None:
        """When the first message that waits for its time is to go, or the next channel of an order is to be tried."""
        waiting = [each.due_at for each in self.dispatches if each.status is Status.PENDING and each.after is None]
        turns = [each.falls_back_at for each in self.dispatches if self.behind(each.channel) is not None]
        return min((each for each in (*waiting, *turns) if each is not None), default=None)

    @property
    def moved_at(self) -> datetime:
        """When the last status changed."""
        return max((each.at for each in self.dispatches), default=self.at)

    def on(self, channel: Channel) -> Dispatch | None:
        return next((each for each in self.dispatches if each.channel is channel), None)

    def with_sealed(self, sealed: Mapping[Channel, bytes]) -> Self:
        return replace(self, sealed=sealed)

    def taking_turns(self, turn: timedelta, at: datetime) -> Self:
        """The channels of an order have so much time each; where the first is the inbox, the others are not needed."""
        begun = replace(self, turn=turn)
        first = next((each for each in begun.dispatches if each.after is None and begun.behind(each.channel)), None)
        if first is None:
            return begun
        return begun.fallen_back(first.channel, at) if first.status.final else begun.turn_begun(first.channel, at)

    def submitting(self, channel: Channel, provider: str, at: datetime) -> Self:
        """A provider is about to be called, if it still is to be; from now on it may have the message."""
        return self._changed(
            channel,
            lambda each: (
                replace(each, provider=provider, attempts=each.attempts + 1, at=at, in_doubt=True)
                if each.status is Status.PENDING
                else each
            ),
        )

    def submitted(self, channel: Channel, reference: str, at: datetime, reason: str = "") -> Self:
        """The provider has taken it over. A receipt may have been faster, and holds."""
        return self._changed(
            channel,
            lambda each: replace(
                each,
                reference=reference,
                status=Status.SENT if each.status is Status.PENDING else each.status,
                at=at if each.status is Status.PENDING else each.at,
                reason=reason or each.reason,
                in_doubt=False,
            ),
        )

    def deferred(self, channel: Channel, due_at: datetime, *, taken: bool) -> Self:
        """The provider did not take it now; `taken`: or could not say that it has."""
        return self._changed(
            channel,
            lambda each: replace(each, due_at=due_at, held=Held.RETRY, in_doubt=taken) if each.ready else each,
        )

    def released(self, at: datetime) -> Self:
        """What has waited for its time goes, and behind a channel whose turn is over the next one."""
        changed = replace(self, dispatches=tuple(each.released(at) for each in self.dispatches))
        for each in changed.dispatches:
            if each.falls_back_at is not None and each.falls_back_at <= at:
                changed = changed.turn_over(each, at)
        return changed

    def turn_over(self, each: Dispatch, at: datetime) -> Self:
        """What no provider can have is given up; of what one may have, a receipt is still believed."""
        if each.status is Status.PENDING and not each.in_doubt:
            return self.ended(each.channel, Status.FAILED, at, "not-in-time")
        return self._changed(each.channel, lambda one: replace(one, falls_back_at=None)).next_turn(each.channel, at)

    def ended(self, channel: Channel, status: Status, at: datetime, reason: str | None = None) -> Self:
        """It arrived or was given up; who waited for that is told. The first end holds, whatever comes later."""
        changed = self._changed(
            channel,
            lambda each: (
                each
                if each.status.final
                else replace(each, status=status, at=at, reason=reason or each.reason, **_WAITS_NO_MORE)
            ),
        )
        return self if changed is self else changed._without(channel).fallen_back(channel, at)  # noqa: SLF001 - of the same class

    def _without(self, channel: Channel) -> Self:
        """Of what has ended on a channel, nothing sealed is kept."""
        return replace(self, sealed={each: sealed for each, sealed in self.sealed.items() if each is not channel})

    def receipted(self, channel: Channel, delivered: bool, at: datetime, part: str = "") -> Self:
        """A receipt has come. Of several parts all have to arrive, and one that does not is the end of the message."""
        if not delivered:
            return self.ended(channel, Status.FAILED, at, "undelivered")
        dispatch = self.on(channel)
        missing = set(dispatch.reference.split()) - {*dispatch.arrived, part} if dispatch and part else set()
        if not missing:
            return self.ended(channel, Status.DELIVERED, at)
        return self._changed(channel, lambda each: replace(each, arrived=tuple(sorted({*each.arrived, part}))))

    def behind(self, channel: Channel) -> Dispatch | None:
        """The message that waits for this channel's."""
        return next((each for each in self.dispatches if each.after is channel and each.status is Status.PENDING), None)

    def fallen_back(self, channel: Channel, at: datetime) -> Self:
        """The next channel goes when this one has failed; no other of the order is needed when it has not."""
        ended = self.on(channel)
        if ended is not None and ended.status is Status.FAILED:
            return self.next_turn(channel, at)
        waiting = [each.channel for each in self.dispatches if each.after is not None]
        changed = self
        for each in waiting:
            changed = changed.ended(each, Status.SUPPRESSED, at, "not-needed")
        return changed

    def next_turn(self, channel: Channel, at: datetime) -> Self:
        """The channel behind this one has its turn, once: nothing waits for this one then."""
        following = self.behind(channel)
        if following is None:
            return self
        held = Held.NOT if following.due_at is None or following.due_at <= at else Held.SCHEDULED
        return self._changed(following.channel, lambda each: replace(each, after=None, held=held, at=at)).turn_begun(
            following.channel, at
        )

    def turn_begun(self, channel: Channel, at: datetime) -> Self:
        """Its turn begins, when it may go, and ends if there is another channel behind it."""
        if self.turn is None or self.behind(channel) is None:
            return self
        turn = self.turn
        return self._changed(channel, lambda each: replace(each, falls_back_at=max(at, each.due_at or at) + turn))

    def expired(self, at: datetime) -> Self:
        """What was never handed over is given up; for what was, nobody waits any more."""
        changed = replace(self, closed=True)
        for each in self.dispatches:
            if each.status is Status.PENDING:
                changed = changed.ended(each.channel, Status.FAILED, at, "expired")
            if each.channel is not Channel.IN_APP:
                changed = changed._without(each.channel)  # noqa: SLF001 - of the same class
        return changed

    def _changed(self, channel: Channel, change: Callable[[Dispatch], Dispatch]) -> Self:
        dispatches = tuple(change(each) if each.channel is channel else each for each in self.dispatches)
        return self if dispatches == self.dispatches else replace(self, dispatches=dispatches)
