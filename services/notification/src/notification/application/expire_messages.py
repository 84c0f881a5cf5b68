"""Use case: what has waited too long is given up, and its secrets with it."""

from dataclasses import dataclass
from datetime import datetime

from notification.application.ports import Notifications


@dataclass(frozen=True, slots=True)
class ExpireMessages:
    notifications: Notifications

    async def __call__(self, at: datetime) -> None:
        """Closes all that has expired, which takes out what was sealed of it; repeated, it changes nothing more."""
        async for notification in self.notifications.expired(at):
            await self.notifications.change(notification.notification_id, lambda each: each.expired(at))
