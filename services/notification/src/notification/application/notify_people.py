"""Use case: single people are told of something."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rossio.directory.v1.directory_pb2 import Person

from notification.application.deciding import Deciding, Wish
from notification.application.people import recipient
from notification.application.ports import Notifications
from notification.domain.notice import Notice, Periods, lane_of
from notification.domain.notification import Dispatch, Notification
from notification.domain.vocabulary import Channel

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class NotifyPeople:
    notifications: Notifications
    deciding: Deciding
    periods: Periods
    new_id: Callable[[], str]

    async def __call__(self, notice: Notice, people: Sequence[Person], *, broadcast: bool = False) -> None:
        """Decides for each person and channel, and takes in what was decided; told again, it changes nothing.

        Args:
            notice: what happened.
            people: who is to hear of it, each once.
            broadcast: it stands in their inboxes already; what is left is to push it to those who asked for it.
        """
        for start in range(0, len(people), _AT_ONCE):
            some = people[start : start + _AT_ONCE]
            decided = await self.deciding(
                notice.topic, [recipient(each) for each in some], notice.at, Wish(broadcast=broadcast)
            )
            if broadcast:
                decided = [tuple(each for each in those if _pushed(each)) for those in decided]
            told = zip(some, decided, strict=True)
            await self.notifications.add(
                [self._told(notice, person, those, broadcast=broadcast) for person, those in told if those]
            )

    def _told(
        self, notice: Notice, person: Person, dispatches: tuple[Dispatch, ...], *, broadcast: bool
    ) -> Notification:
        return Notification(
            notification_id=self.new_id(),
            key=personal_key(notice.key, person.person_id),
            topic=notice.topic,
            lane=lane_of(notice.topic, broadcast=broadcast),
            entity_id=notice.entity_id,
            person_id=person.person_id,
            requested_by="",
            titles=notice.titles,
            subject_id=notice.subject_id,
            at=notice.at,
            expires_at=notice.at + self.periods.send,
            kept_until=notice.at + self.periods.keep,
            dispatches=dispatches,
        )


def _pushed(each: Dispatch) -> bool:
    return each.send and each.channel is not Channel.IN_APP


def personal_key(key: str, person_id: str) -> str:
    """The natural key of one person hearing of one thing."""
    return f"{key}/{person_id}"
