"""Use case: a person has read items of their inbox."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from errors import NotFound
from rpc import Caller

from notification.application.list_inbox import UNREAD_COUNTED
from notification.application.ports import BroadcastStore, Inbox
from notification.application.reading import Broadcasted


@dataclass(frozen=True, slots=True)
class MarkRead:
    inbox: Inbox
    broadcasts: BroadcastStore
    broadcasted: Broadcasted

    async def __call__(self, caller: Caller, item_ids: Collection[str], *, at: datetime) -> int:
        """Marks the items and returns how many are unread then.

        Raises:
            NotFound: one of them is none of the caller's; nothing is marked.
        """
        wanted = set(item_ids)
        reader = await self.broadcasted.reader(caller)
        person = reader.person
        held = [self.broadcasted.live.get(item_id) for item_id in wanted]
        to_many = [each for each in held if each is not None and person.number in each.people]
        own = await self.inbox.of(person.person_id, wanted)
        if len(own) + len(to_many) < len(wanted):
            raise NotFound("no such item in the inbox", reason="ITEM_NOT_FOUND")
        await self.inbox.mark_read(own, caller, at)
        await self.broadcasts.mark_read(to_many, caller, at)
        reader = await self.broadcasted.reader(caller)
        unread = await self.inbox.unread(person.person_id, UNREAD_COUNTED)
        return unread + self.broadcasted.unread(reader, at)
