"""Use case: an approver says yes or no."""

from dataclasses import dataclass
from datetime import datetime

from rpc import Caller

from news.application.editing import Editing
from news.application.ports import Change
from news.domain.post import Post


@dataclass(frozen=True, slots=True)
class ReviewPost:
    edit: Editing

    async def __call__(
        self, caller: Caller, post_id: str, *, approve: bool, reason: str, etag: str, request: str, at: datetime
    ) -> Post:
        """Approves or rejects the version with this etag; raises as `Editing`, `Post.approved` and `rejected` do."""

        def act(post: Post) -> Post:
            if approve:
                return post.approved(caller.subject, reason, at)
            return post.rejected(caller.subject, reason)

        change = Change("approve" if approve else "reject", caller, at, reason)
        return await self.edit(post_id, change, act, request=request, etag=etag)
