"""Use case: somebody wants no more mails of a kind, by one click (RFC 8058)."""

from dataclasses import dataclass
from datetime import datetime

from notification.application.ports import Notifications, Suppressions
from notification.domain.vocabulary import Channel


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    notifications: Notifications
    suppressions: Suppressions

    async def __call__(self, notification_id: str, at: datetime) -> bool:
        """No more mails about the topic go to the address that this one went to; whether it is known.

        No address is needed for that, and none is kept: the message has a digest of it.
        """
        notification = await self.notifications.get(notification_id)
        mail = notification.on(Channel.EMAIL) if notification else None
        if notification is None or mail is None or not mail.target:
            return False
        await self.suppressions.add(mail.target, notification.topic, "unsubscribed", at)
        return True
