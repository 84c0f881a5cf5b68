"""Use case: a prescriber sends a paperless prescription to a citizen, or a pharmacy says that it was dispensed."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import telemetry
from rpc import Caller

from notification.application.ports import Letter, Notifications, Vault
from notification.application.sealing import sealed_by_channel
from notification.domain.decision import Choice, Circumstances, decide
from notification.domain.dispensing import Dispensing
from notification.domain.notice import Periods, lane_of
from notification.domain.notification import Dispatch, Notification
from notification.domain.prescription import Lengths, Prescription
from notification.domain.vocabulary import Topic


@dataclass(frozen=True, slots=True)
class SendPrescription:
    notifications: Notifications
    vault: Vault
    lengths: Lengths
    # How long the codes are kept, encrypted, when no receipt comes.
    expiry: timedelta
    periods: Periods

    async def __call__(
        self, caller: Caller, prescription: Prescription | Dispensing, *, notification_id: str, at: datetime
    ) -> None:
        """Seals the messages at once and takes the order in; `notification_id` follows from the request.

        Raises:
            Invalid: a part of the prescription cannot be right.
        """
        prescription.must_be_sendable(self.lengths)
        if await self.notifications.get(notification_id) is not None:
            return
        messages = prescription.messages()
        decisions = decide(Topic.PRESCRIPTION, Choice(), Circumstances(messages.keys()), at)
        expires_at = at + self.expiry
        letters = [Letter(notification_id, each.channel, messages[each.channel]) for each in decisions if each.send]
        sealed = sealed_by_channel(self.vault, letters)
        telemetry.points.reached("notification.prescription.sealed")
        await self.notifications.request(
            Notification(
                notification_id=notification_id,
                key=f"{prescription.kind}/{notification_id}",
                topic=Topic.PRESCRIPTION,
                lane=lane_of(Topic.PRESCRIPTION),
                entity_id=caller.entity_id,
                person_id="",
                requested_by=caller.subject,
                at=at,
                expires_at=expires_at,
                kept_until=at + self.periods.keep,
                dispatches=tuple(Dispatch.of(each, at) for each in decisions),
                sealed=sealed,
            ),
            caller,
        )
