"""Use case: an editor asks the approvers."""

from dataclasses import dataclass
from datetime import datetime

from rpc import Caller

from news.application.editing import Editing
from news.application.ports import Change
from news.domain.post import Post


@dataclass(frozen=True, slots=True)
class SubmitPost:
    edit: Editing

    async def __call__(self, caller: Caller, post_id: str, *, etag: str, request: str, at: datetime) -> Post:
        """Puts the text in hand into review; raises as `Editing` and `Post.submitted` do."""
        return await self.edit(post_id, Change("submit", caller, at), Post.submitted, request=request, etag=etag)
