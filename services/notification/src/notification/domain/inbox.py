"""What stands in a person's inbox: what was told to them alone, and what was told to many."""

from dataclasses import dataclass
from datetime import datetime

from notification.domain import texts
from notification.domain.broadcast import Broadcast
from notification.domain.cursor import written
from notification.domain.notification import Notification
from notification.domain.vocabulary import Topic


@dataclass(frozen=True, slots=True)
class Item:
    """One notice as its reader sees it. Ids of later items sort later."""

    item_id: str
    topic: Topic
    title: str
    subject_id: str
    at: datetime
    read: bool


@dataclass(frozen=True, slots=True)
class Reads:
    """Items that a person has read, on whichever device; `at`: the last of them."""

    item_ids: frozenset[str]
    at: datetime


@dataclass(frozen=True, slots=True)
class ReadState:
    """The same for somebody who watches, with how many items are unread then."""

    item_ids: frozenset[str]
    unread: int
    at: datetime

    @property
    def cursor(self) -> str:
        """Where to take the reads up again."""
        return written(self.at)


def personal(notification: Notification, locale: str) -> Item:
    return Item(
        item_id=notification.notification_id,
        topic=notification.topic,
        title=texts.in_locale(notification.titles, locale),
        subject_id=notification.subject_id,
        at=notification.at,
        read=notification.read,
    )


def shared(broadcast: Broadcast, locale: str, *, read: bool) -> Item:
    return Item(
        item_id=broadcast.broadcast_id,
        topic=broadcast.topic,
        title=texts.in_locale(broadcast.titles, locale),
        subject_id=broadcast.subject_id,
        at=broadcast.at,
        read=read,
    )
