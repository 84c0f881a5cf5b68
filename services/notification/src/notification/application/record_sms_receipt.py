"""Use case: a message centre says what became of an SMS, by the id that it gave it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from notification.application.ports import Notifications
from notification.application.record_receipt import RecordReceipt
from notification.domain.vocabulary import Channel, Receipted


@dataclass(frozen=True, slots=True)
class RecordSmsReceipt:
    notifications: Notifications
    record_receipt: RecordReceipt
    now: Callable[[], datetime]

    async def __call__(self, reference: str, delivered: bool) -> Receipted:
        """What was done with it; unknown, for now: a receipt may be faster than our own note of the submission."""
        notification = await self.notifications.texted(reference)
        if notification is None:
            return Receipted.UNKNOWN
        return await self.record_receipt.note(
            notification, Channel.SMS, delivered=delivered, at=self.now(), part=reference
        )
