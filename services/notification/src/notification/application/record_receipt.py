"""Use case: a provider says what became of a message."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import telemetry

from notification.application.pool import Measure
from notification.application.ports import Notifications
from notification.domain.notification import Dispatch, Notification
from notification.domain.vocabulary import Channel, Receipted

STEERED: Final = frozenset({Channel.SMS})
"""The channels that have several providers, whose shares follow what they do."""


@dataclass(frozen=True, slots=True)
class RecordReceipt:
    """`measure` is told of receipts that came in time: within `prompt` after the provider took the message."""

    notifications: Notifications
    measure: Measure
    prompt: timedelta

    async def __call__(self, notification_id: str, channel: Channel, *, delivered: bool, at: datetime) -> Receipted:
        """Notes the end, which takes out the message and its key; the first end holds.

        Of a message that is unknown nothing is kept.
        """
        notification = await self.notifications.get(notification_id)
        if notification is None or notification.on(channel) is None:
            return Receipted.UNKNOWN
        return await self.note(notification, channel, delivered=delivered, at=at)

    async def note(
        self, notification: Notification, channel: Channel, *, delivered: bool, at: datetime, part: str = ""
    ) -> Receipted:
        """The same for one that was just looked up; `part` is the provider's name of the part that has a receipt."""
        seen = _Seen(lambda each: each.receipted(channel, delivered, at, part))
        await self.notifications.change(notification.notification_id, seen, notification)
        telemetry.points.reached("notification.receipt.recorded")
        if seen.before == seen.after:
            return Receipted.REPEATED
        was, now = seen.before.on(channel), seen.after.on(channel)
        if channel in STEERED and was is not None and now is not None and now.status.final:
            self._measured(was, at)
        return Receipted.TAKEN

    def _measured(self, was: Dispatch, at: datetime) -> None:
        """It counts for the minute in which the provider took the message."""
        if was.provider and at - was.at <= self.prompt:
            self.measure(was.provider, "receipted", was.at)


class _Seen:
    """A change that remembers what it was given and made the last time: that is what was written."""

    def __init__(self, change: Callable[[Notification], Notification]) -> None:
        self._change = change
        self.before: Notification
        self.after: Notification

    def __call__(self, notification: Notification) -> Notification:
        self.before = notification
        self.after = self._change(notification)
        return self.after
