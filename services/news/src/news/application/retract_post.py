"""Use case: an editor takes a published post back."""

from dataclasses import dataclass, replace
from datetime import datetime

from rpc import Caller

from news.application.editing import editable
from news.application.ports import Change, Posts
from news.domain.feed import Feed
from news.domain.post import Post


@dataclass(frozen=True, slots=True)
class RetractPost:
    posts: Posts
    feed: Feed

    async def __call__(self, caller: Caller, post_id: str, *, reason: str, request: str, at: datetime) -> Post:
        """Takes the post out of all feeds.

        Raises:
            NotFound: no such post in the caller's entity.
            Conflict: it is not published.
        """
        post = await editable(self.posts, caller, post_id)
        if post.request == request:
            return post
        retracted = replace(post.retracted(), request=request)
        saved = await self.posts.replace(retracted, Change("retract", caller, at, reason), version=post.version)
        self.feed.put(saved)
        return saved
