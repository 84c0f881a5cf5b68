"""Use case: an editor changes a draft."""

from dataclasses import dataclass, replace
from datetime import datetime

from directory_view import View
from rpc import Caller

from news.application.editing import editable, must_be_current
from news.application.ports import Change, Posts
from news.domain.post import Content, Post


@dataclass(frozen=True, slots=True)
class UpdatePost:
    posts: Posts
    view: View

    async def __call__(
        self, caller: Caller, post_id: str, content: Content, *, etag: str, request: str, at: datetime
    ) -> Post:
        """Replaces the content of a draft.

        Raises:
            NotFound: no such post in the caller's entity.
            Conflict: the etag is old, or the post is not a draft.
            Invalid: the audience cannot be understood.
        """
        post = await editable(self.posts, caller, post_id)
        if post.request == request:
            return post
        must_be_current(post, etag)
        self.view.audience(content.audience)
        revised = replace(post.revised(content), request=request)
        return await self.posts.replace(revised, Change("update", caller, at), version=post.version)
