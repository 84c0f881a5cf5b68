"""Use case: an editor begins a post."""

from dataclasses import dataclass
from datetime import datetime

from directory_view import View
from errors import Conflict
from rpc import Caller

from news.application.ports import Change, Posts
from news.domain.post import Content, Post


@dataclass(frozen=True, slots=True)
class CreatePost:
    posts: Posts
    view: View

    async def __call__(self, caller: Caller, content: Content, *, post_id: str, at: datetime) -> Post:
        """Stores a draft; `post_id` follows from the request, so that its repetition finds the first.

        Raises:
            Invalid: the audience cannot be understood.
        """
        self.view.audience(content.audience)
        post = Post(
            post_id=post_id, entity_id=caller.entity_id, author_id=caller.subject, content=content, request=post_id
        )
        try:
            await self.posts.add(post, Change("create", caller, at))
        except Conflict:
            return await self.posts.get(post_id)
        return post
