"""Use case: an editor changes the text in hand."""

from dataclasses import dataclass, replace
from datetime import datetime

from rpc import Caller

from news.application.audiences import Audiences
from news.application.create_post import settled
from news.application.editing import Editing
from news.application.ports import Change
from news.domain.content import Content
from news.domain.post import Post


@dataclass(frozen=True, slots=True)
class UpdatePost:
    edit: Editing
    audiences: Audiences
    least_approvals: int

    async def __call__(
        self, caller: Caller, post_id: str, content: Content, *, etag: str, request: str, at: datetime
    ) -> Post:
        """Replaces the content; what is published stays as it is, and approvals are for the text before.

        Raises:
            NotFound: no such post in the caller's entity.
            Conflict: the etag is old, or the post is out of the feeds for good.
            Invalid: the audience cannot be understood.
        """
        content, size = settled(self.audiences, content, self.least_approvals)

        def act(post: Post) -> Post:
            return replace(post.revised(content, caller.subject), audience_size=size)

        return await self.edit(post_id, Change("update", caller, at), act, request=request, etag=etag)
