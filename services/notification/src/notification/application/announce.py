"""Use case: many people are told of something at once."""

from collections.abc import Callable
from dataclasses import dataclass

import telemetry
from directory_view import Bitmap, View

from notification.application.notify_people import NotifyPeople
from notification.application.people import works_here
from notification.application.ports import BroadcastStore, Preferences
from notification.domain.broadcast import Broadcast, broadcast_id
from notification.domain.notice import Notice, Periods


@dataclass(frozen=True, slots=True)
class Announce:
    broadcasts: BroadcastStore
    preferences: Preferences
    notify_people: NotifyPeople
    view: View
    periods: Periods
    new_id: Callable[[], str]

    async def __call__(self, notice: Notice, people: Bitmap) -> None:
        """Puts one item into all their inboxes, and pushes it to those among them who asked for that.

        What belongs to something that was withdrawn meanwhile is told to nobody.
        """
        if notice.part_of and await self.broadcasts.is_withdrawn(notice.part_of):
            return
        broadcast = await self.broadcasts.add(
            Broadcast(
                broadcast_id=broadcast_id(self.new_id()),
                key=notice.key,
                topic=notice.topic,
                entity_id=notice.entity_id,
                titles=notice.titles,
                subject_id=notice.subject_id,
                at=notice.at,
                kept_until=notice.at + self.periods.keep,
                people=people,
            )
        )
        if broadcast.withdrawn:
            return
        telemetry.points.reached("notification.announced")
        asking = [self.view.person(person_id) async for person_id in self.preferences.asking_for(notice.topic)]
        told = [person for person in asking if person and works_here(person) and person.number in people]
        await self.notify_people(notice, told, broadcast=True)
