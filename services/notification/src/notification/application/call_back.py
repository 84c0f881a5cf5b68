"""Use case: a sender is told what becomes of its messages, at the address that it has named.

To be told is a message of its own, by webhook: it is put off, tried again, given up and kept once like all others.
"""

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from notification.application.ports import Devices, Letter, Notifications, Vault
from notification.domain.device import callback_owner
from notification.domain.notice import Periods
from notification.domain.notification import Dispatch, Notification
from notification.domain.texts import Message
from notification.domain.vocabulary import Channel, Lane, Status, Topic

Change = tuple[str, Channel, Status]
"""Notification, channel, and the status that it came to."""


@dataclass(frozen=True, slots=True)
class CallBack:
    notifications: Notifications
    devices: Devices
    vault: Vault
    periods: Periods
    new_id: Callable[[], str]

    async def __call__(self, changes: Collection[Change], at: datetime) -> None:
        """Takes in what those are to be told who want to be; told again, it changes nothing."""
        followed = [each async for each in self.notifications.followed({change[0] for change in changes})]
        if not followed:
            return
        wanting = await self.devices.channels_of({callback_owner(each.requested_by) for each in followed})
        by_id = {each.notification_id: each for each in followed if callback_owner(each.requested_by) in wanting}
        told = [(by_id[change[0]], change) for change in changes if change[0] in by_id]
        made = [self._notification(about, change, at) for about, change in told]
        letters = [
            Letter(each.notification_id, Channel.WEBHOOK, _said(each.person_id, about, change, at))
            for each, (about, change) in zip(made, told, strict=True)
        ]
        sealed = self.vault.seal(letters)
        await self.notifications.add(
            [each.with_sealed({Channel.WEBHOOK: content}) for each, content in zip(made, sealed, strict=True)]
        )

    def _notification(self, about: Notification, change: Change, at: datetime) -> Notification:
        notification_id, channel, status = change
        return Notification(
            notification_id=self.new_id(),
            key=f"callback/{notification_id}.{channel}.{status}",
            topic=Topic.SERVICE,
            lane=Lane.BULK,
            entity_id=about.entity_id,
            person_id=callback_owner(about.requested_by),
            at=at,
            expires_at=at + self.periods.send,
            kept_until=at + self.periods.sent,
            dispatches=(Dispatch(Channel.WEBHOOK, send=True, reason="callback", status=Status.PENDING, at=at),),
        )


def _said(to: str, about: Notification, change: Change, at: datetime) -> Message:
    _, channel, status = change
    body = {
        "notification_id": about.notification_id,
        "reference": about.reference,
        "channel": channel.value,
        "status": status.value,
        "at": at.isoformat(),
    }
    return Message(to=to, subject="", text=json.dumps(body))
