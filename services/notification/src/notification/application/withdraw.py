"""Use case: what many were told is taken back."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import telemetry
from directory_view import Bitmap

from notification.application.ports import BroadcastStore
from notification.domain.broadcast import Broadcast, broadcast_id
from notification.domain.notice import Periods
from notification.domain.vocabulary import Topic


@dataclass(frozen=True, slots=True)
class Withdraw:
    broadcasts: BroadcastStore
    periods: Periods
    new_id: Callable[[], str]

    async def __call__(self, key: str, topic: Topic, entity_id: str, at: datetime, *, subject_id: str) -> None:
        """Takes the item with this key out of all inboxes, then the others about the same thing.

        Where it never came in, a tombstone stays, so that an announcement that is repeated late finds it.
        """
        await self.broadcasts.withdraw(
            Broadcast(
                broadcast_id=broadcast_id(self.new_id()),
                key=key,
                topic=topic,
                entity_id=entity_id,
                titles={},
                subject_id="",
                at=at,
                kept_until=at + self.periods.keep,
                people=Bitmap(),
                withdrawn=True,
            ),
            at,
        )
        telemetry.points.reached("notification.withdrawn")
        async for told in self.broadcasts.about(subject_id):
            await self.broadcasts.withdraw(told, at)
