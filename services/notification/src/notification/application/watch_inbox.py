"""Use case: a person sees new items of their inbox as they come."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from rpc import Caller

from notification.application.list_inbox import UNREAD_COUNTED
from notification.application.ports import BroadcastStore, Inbox
from notification.application.reading import Broadcasted, Reader
from notification.application.unsealing import Unsealing
from notification.application.watchers import Watchers
from notification.domain import cursor
from notification.domain.broadcast import Broadcast
from notification.domain.inbox import Item, Reads, ReadState, personal
from notification.domain.notification import Notification


@dataclass(frozen=True, slots=True)
class WatchInbox:
    inbox: Inbox
    broadcasts: BroadcastStore
    broadcasted: Broadcasted
    watchers: Watchers
    unsealing: Unsealing

    async def __call__(
        self, caller: Caller, after: str, at: datetime, *, reads_after: str | None = None
    ) -> AsyncGenerator[Item | ReadState, None]:
        """Items above the id, oldest first, then new ones until the caller hangs up; an empty id: only new ones.

        Ids are given when an item is made, in many processes at once: of two that are made in the same
        moment the later one may be seen first, and a watch that begins between them misses the other.
        The list of the inbox has both.

        Args:
            caller: whose inbox it is.
            after: the item seen last.
            at: now.
            reads_after: None: items alone; else it is told too what was read since this cursor, if it is one, and then
                whatever is read, on this device or another.

        Raises:
            Invalid: the cursor is none.
            Exhausted: the caller reads too slowly; the stream ends, and `after` takes it up again.
        """
        reader = await self.broadcasted.reader(caller)
        with self.watchers.watching(reader.person.person_id, reader.person.number) as watcher:
            if reads_after is not None:
                yield await self._state(caller, await self._read_since(caller, reads_after, at))
            seen: set[str] = set()
            if after:
                async for item in self._since(reader, after, at):
                    seen.add(item.item_id)
                    yield item
            while True:
                news = await watcher.next()
                if isinstance(news, Reads):
                    if reads_after is not None:
                        yield await self._state(caller, news)
                    continue
                item_or_none = await self._item(reader, news)
                if item_or_none is not None and item_or_none.item_id not in seen:
                    yield item_or_none

    async def _read_since(self, caller: Caller, reads_after: str, at: datetime) -> Reads:
        since = cursor.read(reads_after)
        if since is None:
            return Reads(frozenset(), at)
        begin = since - cursor.OVERLAP
        own = await self.inbox.read_since(caller.subject, begin)
        return Reads(frozenset(own | await self.broadcasts.read_since(caller.subject, begin)), at)

    async def _state(self, caller: Caller, reads: Reads) -> ReadState:
        reader = await self.broadcasted.reader(caller)
        own = await self.inbox.unread(caller.subject, UNREAD_COUNTED)
        return ReadState(reads.item_ids, own + self.broadcasted.unread(reader, reads.at), reads.at)

    async def _since(self, reader: Reader, after: str, at: datetime) -> AsyncIterator[Item]:
        to_many = list(self.broadcasted.after(reader, after, at))
        async for notification in self.inbox.after(reader.person.person_id, after):
            while to_many and to_many[0].item_id < notification.notification_id:
                yield to_many.pop(0)
            for each in await self.unsealing([notification]):
                yield personal(each, reader.person.locale)
        for item in to_many:
            yield item

    async def _item(self, reader: Reader, news: Notification | Broadcast) -> Item | None:
        if isinstance(news, Broadcast):
            return reader.item(news) if reader.sees(news) else None
        return next((personal(each, reader.person.locale) for each in await self.unsealing([news])), None)
