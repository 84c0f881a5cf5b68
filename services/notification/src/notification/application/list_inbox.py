"""Use case: a person pages through their inbox."""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from rpc import Caller

from notification.application.ports import Inbox
from notification.application.reading import Broadcasted
from notification.application.unsealing import Unsealing
from notification.domain.inbox import Item, personal

UNREAD_COUNTED = 1000


@dataclass(frozen=True, slots=True)
class InboxPage:
    """Some items, newest first; `before` continues below the last one and is empty at the end."""

    items: list[Item]
    before: str
    unread: int


@dataclass(frozen=True, slots=True)
class ListInbox:
    inbox: Inbox
    broadcasted: Broadcasted
    unsealing: Unsealing

    async def __call__(self, caller: Caller, before: str, limit: int, *, unread_only: bool, at: datetime) -> InboxPage:
        """Merges what was told to the caller alone with what was told to many.

        The unread are counted up to a thousand of the caller's own, and all of the others.
        """
        reader = await self.broadcasted.reader(caller)
        person = reader.person
        own = await self.inbox.before(person.person_id, before, limit + 1, unread_only=unread_only)
        to_many = (item for item in self.broadcasted.before(reader, before, at) if not (unread_only and item.read))
        items = [personal(each, person.locale) for each in await self.unsealing(own)] + list(islice(to_many, limit + 1))
        items.sort(key=lambda item: item.item_id, reverse=True)
        unread = await self.inbox.unread(person.person_id, UNREAD_COUNTED)
        return InboxPage(
            items=items[:limit],
            before=items[limit - 1].item_id if len(items) > limit else "",
            unread=unread + self.broadcasted.unread(reader, at),
        )
