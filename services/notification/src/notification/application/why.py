"""Use case: why was this sent, or not, and what became of it."""

from dataclasses import dataclass, replace

from directory_view import View
from errors import NotFound
from rpc import Caller

from notification.application.notify_people import personal_key
from notification.application.people import asking, recipient
from notification.application.ports import Notifications, Preferences
from notification.domain.broadcast import Broadcast, Broadcasts
from notification.domain.decision import Choice, Circumstances, decide
from notification.domain.notification import Dispatch


@dataclass(frozen=True, slots=True)
class Why:
    notifications: Notifications
    preferences: Preferences
    view: View
    live: Broadcasts

    async def __call__(self, caller: Caller, notification_id: str) -> tuple[Dispatch, ...]:
        """What was decided for each channel, for who asked for it and for its recipient.

        Of a broadcast nothing is stored per reader: the same function decides again, for the caller.

        Raises:
            NotFound: the caller is neither.
        """
        broadcast = self.live.get(notification_id)
        if broadcast is not None:
            return await self._of_broadcast(caller, broadcast)
        notification = await self.notifications.get(notification_id)
        if notification is None or caller.subject not in {notification.person_id, notification.requested_by}:
            raise NotFound("no such notification", reason="NOTIFICATION_NOT_FOUND")
        return notification.dispatches

    async def _of_broadcast(self, caller: Caller, broadcast: Broadcast) -> tuple[Dispatch, ...]:
        person = asking(self.view, caller)
        if person.number not in broadcast.people:
            raise NotFound("no such notification", reason="NOTIFICATION_NOT_FOUND")
        choice = (await self.preferences.of([person.person_id], broadcast.topic)).get(person.person_id, Choice())
        pushed = await self.notifications.named(personal_key(broadcast.key, person.person_id))
        stored = {each.channel: each for each in pushed.dispatches} if pushed else {}
        # What was pushed is stored: asking for it now does not mean that it was sent then.
        refused = replace(choice, channels={channel: on for channel, on in choice.channels.items() if not on})
        there = Circumstances(recipient(person).reachable, broadcast=True)
        decisions = decide(broadcast.topic, refused, there, broadcast.at)
        return tuple(stored.get(each.channel) or Dispatch.of(each, broadcast.at) for each in decisions)
