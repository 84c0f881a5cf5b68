"""Use case: mail-routing reports what became of a mail of ours."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from errors import Transient

from notification.application.ports import Notifications, Suppressions
from notification.application.record_receipt import RecordReceipt
from notification.domain.vocabulary import Channel, Receipted

_SUBMISSION_IS_RECORDED = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class RecordMailOutcome:
    notifications: Notifications
    record_receipt: RecordReceipt
    suppressions: Suppressions

    async def __call__(
        self, reference: str, *, delivered: bool, gone: bool, reported_at: datetime, at: datetime
    ) -> Receipted:
        """Notes the end of the message that mail-routing knows by `reference`.

        `gone`: the address does not exist; it is not written to again.

        Raises:
            Transient: the report was faster than our own note of the submission.
        """
        notification = await self.notifications.mailed(reference)
        if notification is not None:
            mail = notification.on(Channel.EMAIL)
            if gone and mail is not None and mail.target:
                await self.suppressions.add(mail.target, None, "bounced", at)
            return await self.record_receipt.note(notification, Channel.EMAIL, delivered=delivered, at=at)
        if at - reported_at < _SUBMISSION_IS_RECORDED:
            raise Transient("the submission is not recorded yet", reason="SUBMISSION_UNRECORDED")
        return Receipted.UNKNOWN
