"""Use case: a citizen looks at what services have sent them."""

from dataclasses import dataclass

from rpc import Caller

from notification.application.ports import Inbox
from notification.application.unsealing import Unsealing
from notification.domain.inbox import Item, personal


@dataclass(frozen=True, slots=True)
class ListMessages:
    inbox: Inbox
    unsealing: Unsealing

    async def __call__(self, caller: Caller, before: str, limit: int) -> tuple[list[Item], str]:
        """Newest first, below the id; and below which one the next page goes on, empty at the end."""
        found = await self.inbox.before(caller.subject, before, limit + 1, unread_only=False)
        items = [personal(each, "") for each in await self.unsealing(found[:limit])]
        return items, found[limit - 1].notification_id if len(found) > limit else ""
