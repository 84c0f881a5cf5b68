"""Use case: what has waited for its time goes on its way."""

from dataclasses import dataclass
from datetime import datetime

import telemetry

from notification.application.ports import Notifications


@dataclass(frozen=True, slots=True)
class ReleaseDue:
    notifications: Notifications

    async def __call__(self, at: datetime) -> None:
        """Lets all go whose time has come; by however many processes, each goes once."""
        async for notification in self.notifications.due(at):
            telemetry.points.reached("notification.releasing")
            await self.notifications.change(notification.notification_id, lambda each: each.released(at))
