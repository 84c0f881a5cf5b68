"""A notification: one person told of one thing, and what becomes of it on each channel."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from notification.domain.decision import Decision
from notification.domain.vocabulary import Channel, Lane, Status, Topic


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One channel of a notification: what was decided, and where the message is.

    `reference` is the provider's name for the message, `attempts` counts submissions that were begun.
    """

    channel: Channel
    send: bool
    reason: str
    status: Status
    at: datetime
    provider: str = ""
    reference: str = ""
    attempts: int = 0

    @classmethod
    def of(cls, decision: Decision, at: datetime) -> Self:
        """What follows from a decision; the inbox is ours, so what is for it has arrived."""
        status = Status.DELIVERED if decision.channel is Channel.IN_APP else Status.PENDING
        return cls(
            channel=decision.channel,
            send=decision.send,
            reason=decision.reason,
            status=status if decision.send else Status.SUPPRESSED,
            at=at,
        )


@dataclass(frozen=True, slots=True)
class Notification:
    """One person told of one thing.

    `key` is natural and unique: the thing and the person, so that the same thing told twice is one
    notification. `titles` is the title by locale. `sealed` holds, by channel, the encrypted message of
    those whose text may not lie about; all others are made from the title.
    """

    notification_id: str
    key: str
    topic: Topic
    lane: Lane
    entity_id: str
    person_id: str
    requested_by: str
    titles: Mapping[str, str]
    subject_id: str
    at: datetime
    # Until when messages not yet handed over are still worth sending, and when all of it may go.
    expires_at: datetime
    kept_until: datetime
    dispatches: tuple[Dispatch, ...]
    read: bool = False
    # Its time has passed: nothing more is waited for, though a late receipt is still believed.
    closed: bool = False
    sealed: Mapping[Channel, bytes] = field(default_factory=dict)
    version: int = 1

    @property
    def in_inbox(self) -> bool:
        return any(each.channel is Channel.IN_APP and each.send for each in self.dispatches)

    @property
    def open(self) -> bool:
        """Whether it is waited for what becomes of it on some channel."""
        return not self.closed and not all(each.status.final for each in self.dispatches)

    def on(self, channel: Channel) -> Dispatch | None:
        return next((each for each in self.dispatches if each.channel is channel), None)

    def submitting(self, channel: Channel, provider: str, at: datetime) -> Self:
        """A provider is about to be called."""
        return self._changed(channel, lambda each: replace(each, provider=provider, attempts=each.attempts + 1, at=at))

    def submitted(self, channel: Channel, reference: str, at: datetime) -> Self:
        """The provider has taken it over. A receipt may have been faster, and holds."""
        return self._changed(
            channel,
            lambda each: replace(
                each,
                reference=reference,
                status=Status.SENT if each.status is Status.PENDING else each.status,
                at=at if each.status is Status.PENDING else each.at,
            ),
        )

    def ended(self, channel: Channel, status: Status, at: datetime, reason: str | None = None) -> Self:
        """It arrived or was given up. The first end holds, whatever comes later or again."""
        return self._changed(
            channel,
            lambda each: (
                each if each.status.final else replace(each, status=status, at=at, reason=reason or each.reason)
            ),
        )

    def expired(self, at: datetime) -> Self:
        """What was never handed over is given up; for what was, nobody waits any more."""
        changed = replace(self, closed=True)
        for each in self.dispatches:
            if each.status is Status.PENDING:
                changed = changed.ended(each.channel, Status.FAILED, at, "expired")
        return changed

    def marked_read(self) -> Self:
        return replace(self, read=True)

    def _changed(self, channel: Channel, change: Callable[[Dispatch], Dispatch]) -> Self:
        dispatches = tuple(change(each) if each.channel is channel else each for each in self.dispatches)
        return self if dispatches == self.dispatches else replace(self, dispatches=dispatches)
