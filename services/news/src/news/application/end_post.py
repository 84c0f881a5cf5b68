"""Use case: an editor takes a published post out of the feeds."""

from dataclasses import dataclass
from datetime import datetime

from rpc import Caller

from news.application.editing import Editing
from news.application.ports import Change
from news.domain.post import Post


@dataclass(frozen=True, slots=True)
class EndPost:
    edit: Editing

    async def retract(self, caller: Caller, post_id: str, *, reason: str, request: str, at: datetime) -> Post:
        """Takes it back from its readers; raises as `Editing` does, and Conflict when it is in no feed."""
        return await self.edit(post_id, Change("retract", caller, at, reason), Post.retracted, request=request)

    async def archive(self, caller: Caller, post_id: str, *, reason: str, request: str, at: datetime) -> Post:
        """Puts it away; raises as `retract` does."""
        return await self.edit(post_id, Change("archive", caller, at, reason), Post.archived, request=request)
