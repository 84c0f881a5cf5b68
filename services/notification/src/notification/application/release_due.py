"""Use case: what has waited for its time goes on its way; what waited for a digest goes as one mail."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import telemetry
from directory_view import View

from notification.application.people import recipient, works_here
from notification.application.ports import Letter, Notifications, Suppressions, Vault
from notification.domain import texts
from notification.domain.notice import Periods
from notification.domain.notification import Dispatch, Notification
from notification.domain.recipient import Recipient
from notification.domain.texts import Message
from notification.domain.vocabulary import Channel, Held, Lane, Status, Topic

Slot = tuple[str, Topic, datetime]
"""Whose digest, of what, of which hour or day."""


@dataclass(frozen=True, slots=True)
class ReleaseDue:
    notifications: Notifications
    vault: Vault
    suppressions: Suppressions
    view: View
    periods: Periods

    async def __call__(self, at: datetime) -> None:
        """Lets all go whose time has come; by however many processes, each goes once."""
        digests: defaultdict[Slot, list[Notification]] = defaultdict(list)
        async for notification in self.notifications.due(at):
            mail = notification.on(Channel.EMAIL)
            if mail is not None and mail.held is Held.DIGEST and mail.due_at is not None and mail.due_at <= at:
                digests[notification.person_id, notification.topic, mail.due_at].append(notification)
            else:
                await self._release(notification, at)
        for slot, members in digests.items():
            await self._digest(slot, members, at)

    async def _release(self, notification: Notification, at: datetime) -> None:
        telemetry.points.reached("notification.releasing")
        await self.notifications.change(notification.notification_id, lambda each: each.released(at))
        telemetry.points.reached("notification.released")

    async def _digest(self, slot: Slot, members: Sequence[Notification], at: datetime) -> None:
        """One mail for all of them; who comes too late for it goes alone.

        The digest is taken in with the names of those in it before they are told so: whoever repeats this finds it.
        """
        person = self.view.person(slot[0])
        if len(members) > 1 and person is not None and works_here(person):
            digest = await self._taken(slot, members, recipient(person), at)
            telemetry.points.reached("notification.digest.taken")
        else:
            digest = None
        for each in members:
            if digest is not None and each.notification_id in digest.members:
                await self.notifications.change(
                    each.notification_id, lambda one: one.ended(Channel.EMAIL, Status.SUPPRESSED, at, "digest")
                )
            else:
                await self._release(each, at)

    async def _taken(
        self, slot: Slot, members: Sequence[Notification], to: Recipient, at: datetime
    ) -> Notification | None:
        person_id, topic, due_at = slot
        key = f"digest/{person_id}/{topic}/{due_at.isoformat()}"
        known = await self.notifications.named(key)
        if known is not None:
            return known
        address = to.addresses.get(Channel.EMAIL, "")
        digest_id, expires_at = f"{members[-1].notification_id}.digest", at + self.periods.send
        lines = await self._lines(members, to.locale)
        subject, text = texts.digest(lines, to.locale)
        letter = Letter(digest_id, Channel.EMAIL, Message(to=address, subject=subject, text=text))
        (sealed,) = self.vault.seal([letter])
        mail = Dispatch(
            channel=Channel.EMAIL,
            send=True,
            reason="digest",
            status=Status.PENDING,
            at=at,
            target=self.suppressions.target(Channel.EMAIL, address),
        )
        digest = Notification(
            notification_id=digest_id,
            key=key,
            topic=topic,
            lane=Lane.TRANSACTIONAL,
            entity_id=to.entity_id,
            person_id=person_id,
            at=at,
            expires_at=expires_at,
            kept_until=at + self.periods.sent,
            dispatches=(mail,),
            sealed={Channel.EMAIL: sealed},
            members=tuple(each.notification_id for each in members),
        )
        await self.notifications.add([digest])
        return await self.notifications.named(key)

    async def _lines(self, members: Sequence[Notification], locale: str) -> list[str]:
        """What each would have said, in a line."""
        sealed: Mapping[str, bytes] = {
            each.notification_id: each.sealed[Channel.EMAIL] for each in members if Channel.EMAIL in each.sealed
        }
        opened = await self.vault.open(Channel.EMAIL, sealed) if sealed else {}
        return [
            opened[each.notification_id].subject
            if each.notification_id in opened
            else texts.in_locale(each.titles, locale)
            for each in members
            if each.notification_id in opened or each.titles
        ]
