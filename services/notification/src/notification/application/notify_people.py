"""Use case: single people are told of something.

What they are told is sealed for each channel at once: the title may name a file, or what somebody was treated for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rossio.directory.v1.directory_pb2 import Person

from notification.application.deciding import Deciding, Wish
from notification.application.people import recipient
from notification.application.ports import Letter, Notifications, Vault
from notification.application.sealing import sealed_by_channel
from notification.domain import texts
from notification.domain.notice import Notice, Periods, lane_of
from notification.domain.notification import Dispatch, Notification
from notification.domain.recipient import Recipient
from notification.domain.texts import Message
from notification.domain.vocabulary import Channel

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class NotifyPeople:
    notifications: Notifications
    deciding: Deciding
    vault: Vault
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
            to = [recipient(each) for each in some]
            decided = await self.deciding(notice.topic, to, notice.at, Wish(broadcast=broadcast))
            if broadcast:
                decided = [tuple(each for each in those if _pushed(each)) for those in decided]
            told = zip(to, decided, strict=True)
            await self.notifications.add(
                [self._told(notice, one, those, broadcast=broadcast) for one, those in told if those]
            )

    def _told(
        self, notice: Notice, to: Recipient, dispatches: tuple[Dispatch, ...], *, broadcast: bool
    ) -> Notification:
        notification_id = self.new_id()
        title = texts.in_locale(notice.titles, to.locale)
        letters = [Letter(notification_id, each.channel, _message(title, to, each)) for each in dispatches if each.send]
        return Notification(
            notification_id=notification_id,
            key=personal_key(notice.key, to.person_id),
            topic=notice.topic,
            lane=lane_of(notice.topic, broadcast=broadcast),
            entity_id=notice.entity_id,
            person_id=to.person_id,
            subject_id=notice.subject_id,
            at=notice.at,
            expires_at=notice.at + self.periods.send,
            kept_until=notice.at + self.periods.keep,
            dispatches=dispatches,
            sealed=sealed_by_channel(self.vault, letters),
        )


def _message(title: str, to: Recipient, dispatch: Dispatch) -> Message:
    """What goes out on a channel; nobody but its reader finds a title of somebody else's."""
    address = to.addresses.get(dispatch.channel, "")
    match dispatch.channel:
        case Channel.EMAIL:
            return texts.as_mail(address, title, to.locale)
        case Channel.SMS:
            return texts.as_sms(address, title)
        case Channel.IN_APP | Channel.PUSH | Channel.WEBHOOK:
            return Message(to=to.person_id, subject=title, text=title)


def _pushed(each: Dispatch) -> bool:
    return each.send and each.channel is not Channel.IN_APP


def personal_key(key: str, person_id: str) -> str:
    """The natural key of one person hearing of one thing."""
    return f"{key}/{person_id}"
