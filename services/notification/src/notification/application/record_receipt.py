"""Use case: a provider says what became of a message."""

from dataclasses import dataclass
from datetime import datetime

import telemetry

from notification.application.ports import Notifications
from notification.domain.notification import Notification
from notification.domain.vocabulary import Channel


@dataclass(frozen=True, slots=True)
class RecordReceipt:
    notifications: Notifications

    async def __call__(self, notification_id: str, channel: Channel, *, delivered: bool, at: datetime) -> bool:
        """Notes the end, which takes out the message and its key; the first end holds.

        Returns:
            Whether such a message is known; of an unknown one nothing is kept.
        """
        notification = await self.notifications.get(notification_id)
        if notification is None or notification.on(channel) is None:
            return False
        await self.note(notification, channel, delivered=delivered, at=at)
        return True

    async def note(
        self, notification: Notification, channel: Channel, *, delivered: bool, at: datetime, part: str = ""
    ) -> None:
        """The same for one that was just looked up; `part` is the provider's name of the part that has a receipt."""
        await self.notifications.change(
            notification.notification_id, lambda each: each.receipted(channel, delivered, at, part), notification
        )
        telemetry.points.reached("notification.receipt.recorded")
