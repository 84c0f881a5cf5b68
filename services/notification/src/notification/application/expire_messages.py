"""Use case: what has waited too long is given up, and its secrets with it."""

from dataclasses import dataclass
from datetime import datetime

import telemetry

from notification.application.ports import Notifications, Vault


@dataclass(frozen=True, slots=True)
class ExpireMessages:
    notifications: Notifications
    vault: Vault

    async def __call__(self, at: datetime) -> None:
        """Destroys the keys of all that has expired, then closes it; repeated, it changes nothing more."""
        async for notification in self.notifications.expired(at):
            for channel in notification.sealed:
                await self.vault.destroy(notification.notification_id, channel)
            telemetry.points.reached("notification.expiring")
            await self.notifications.change(notification.notification_id, lambda each: each.expired(at))
