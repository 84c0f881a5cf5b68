"""Use case: a provider says what became of a message."""

from dataclasses import dataclass
from datetime import datetime

import telemetry

from notification.application.ports import Notifications
from notification.domain.vocabulary import Channel, Status


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
        status = Status.DELIVERED if delivered else Status.FAILED
        reason = None if delivered else "undelivered"
        await self.notifications.change(
            notification_id, lambda each: each.ended(channel, status, at, reason), notification
        )
        telemetry.points.reached("notification.receipt.recorded")
        return True
