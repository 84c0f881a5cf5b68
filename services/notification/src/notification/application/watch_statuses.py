"""Use case: a sender follows what becomes of its messages."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from rpc import Caller

from notification.application.ports import Notifications
from notification.application.watchers import Watchers
from notification.domain import cursor
from notification.domain.notification import Dispatch, Notification
from notification.domain.vocabulary import Channel, Status


@dataclass(frozen=True, slots=True)
class StatusChange:
    """What became of one message; `cursor` is where to take the stream up again."""

    notification: Notification
    dispatch: Dispatch

    @property
    def cursor(self) -> str:
        return cursor.written(self.dispatch.at)


@dataclass(frozen=True, slots=True)
class WatchStatuses:
    notifications: Notifications
    watchers: Watchers

    async def __call__(self, caller: Caller, after: str) -> AsyncGenerator[StatusChange, None]:
        """Changes since the cursor, then new ones until the caller hangs up; an empty cursor: only new ones.

        Each status that holds is told at least once, and the last ones may be told again after a cursor.

        Raises:
            Invalid: the cursor is none.
            Exhausted: the caller reads too slowly; the cursor takes the stream up again.
        """
        since = cursor.read(after)
        with self.watchers.watching(caller.subject) as watcher:
            told: dict[tuple[str, Channel], Status] = {}
            if since is not None:
                async for notification in self.notifications.moved(caller.subject, since - cursor.OVERLAP):
                    for change in _changes(notification, told):
                        yield change
            while True:
                news = await watcher.next()
                assert isinstance(news, Notification), "nobody follows anything else"
                for change in _changes(news, told):
                    yield change


def _changes(notification: Notification, told: dict[tuple[str, Channel], Status]) -> list[StatusChange]:
    """What of it was not told yet in this stream."""
    changes = []
    for dispatch in notification.dispatches:
        key = (notification.notification_id, dispatch.channel)
        if dispatch.send and told.get(key) is not dispatch.status:
            told[key] = dispatch.status
            changes.append(StatusChange(notification, dispatch))
    if not notification.open:
        for dispatch in notification.dispatches:
            told.pop((notification.notification_id, dispatch.channel), None)
    return changes
