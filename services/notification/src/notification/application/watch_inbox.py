"""Use case: a person sees new items of their inbox as they come."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from rpc import Caller

from notification.application.ports import Inbox
from notification.application.reading import Broadcasted, Reader
from notification.application.unsealing import Unsealing
from notification.application.watchers import News, Watchers
from notification.domain.broadcast import Broadcast
from notification.domain.inbox import Item, personal


@dataclass(frozen=True, slots=True)
class WatchInbox:
    inbox: Inbox
    broadcasted: Broadcasted
    watchers: Watchers
    unsealing: Unsealing

    async def __call__(self, caller: Caller, after: str, at: datetime) -> AsyncGenerator[Item, None]:
        """Items above the id, oldest first, then new ones until the caller hangs up; an empty id: only new ones.

        Ids are given when an item is made, in many processes at once: of two that are made in the same
        moment the later one may be seen first, and a watch that begins between them misses the other.
        The list of the inbox has both.

        Raises:
            Exhausted: the caller reads too slowly; the stream ends, and `after` takes it up again.
        """
        reader = await self.broadcasted.reader(caller)
        with self.watchers.watching(reader.person.person_id, reader.person.number) as watcher:
            seen: set[str] = set()
            if after:
                async for item in self._since(reader, after, at):
                    seen.add(item.item_id)
                    yield item
            while True:
                item_or_none = await self._item(reader, await watcher.next())
                if item_or_none is not None and item_or_none.item_id not in seen:
                    yield item_or_none

    async def _since(self, reader: Reader, after: str, at: datetime) -> AsyncIterator[Item]:
        to_many = list(self.broadcasted.after(reader, after, at))
        async for notification in self.inbox.after(reader.person.person_id, after):
            while to_many and to_many[0].item_id < notification.notification_id:
                yield to_many.pop(0)
            for each in await self.unsealing([notification]):
                yield personal(each, reader.person.locale)
        for item in to_many:
            yield item

    async def _item(self, reader: Reader, news: News) -> Item | None:
        if isinstance(news, Broadcast):
            return reader.item(news) if reader.sees(news) else None
        return next((personal(each, reader.person.locale) for each in await self.unsealing([news])), None)
