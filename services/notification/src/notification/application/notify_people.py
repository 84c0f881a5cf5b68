"""Use case: single people are told of something."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rossio.directory.v1.directory_pb2 import Person

from notification.application.people import reachable
from notification.application.ports import Notifications, Preferences
from notification.domain.decision import decide
from notification.domain.notice import Notice, Periods, lane_of
from notification.domain.notification import Dispatch, Notification
from notification.domain.vocabulary import Channel

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class NotifyPeople:
    notifications: Notifications
    preferences: Preferences
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
            preferred = await self.preferences.of([person.person_id for person in some], notice.topic)
            decided = (
                self._decided(notice, person, preferred.get(person.person_id, {}), broadcast=broadcast)
                for person in some
            )
            await self.notifications.add([each for each in decided if each.dispatches])

    def _decided(
        self, notice: Notice, person: Person, preferences: Mapping[Channel, bool], *, broadcast: bool
    ) -> Notification:
        decisions = decide(notice.topic, preferences=preferences, reachable=reachable(person), broadcast=broadcast)
        if broadcast:
            decisions = tuple(each for each in decisions if each.send and each.channel is not Channel.IN_APP)
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
            dispatches=tuple(Dispatch.of(each, notice.at) for each in decisions),
        )


def personal_key(key: str, person_id: str) -> str:
    """The natural key of one person hearing of one thing."""
    return f"{key}/{person_id}"
