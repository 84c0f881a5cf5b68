"""Use case: a message centre says what became of an SMS, by the id that it gave it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from notification.application.ports import Notifications
from notification.application.record_receipt import RecordReceipt
from notification.domain.vocabulary import Channel


@dataclass(frozen=True, slots=True)
class RecordSmsReceipt:
    notifications: Notifications
    record_receipt: RecordReceipt
    now: Callable[[], datetime]

    async def __call__(self, reference: str, delivered: bool) -> bool:
        """Whether such a message is known, by now: a receipt may be faster than our own note of the submission."""
        notification = await self.notifications.texted(reference)
        if notification is None:
            return False
        await self.record_receipt.note(notification, Channel.SMS, delivered=delivered, at=self.now(), part=reference)
        return True
