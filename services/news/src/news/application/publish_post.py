"""Use case: an editor puts a draft into the feeds of its audience."""

from dataclasses import dataclass, replace
from datetime import datetime

import telemetry
from directory_view import View
from rpc import Caller

from news.application.editing import editable, must_be_current
from news.application.ports import Change, Posts
from news.domain.feed import Feed
from news.domain.post import Post

_published = telemetry.names.NEWS_PUBLISHED.bind()


@dataclass(frozen=True, slots=True)
class PublishPost:
    posts: Posts
    view: View
    feed: Feed

    async def __call__(self, caller: Caller, post_id: str, *, etag: str, request: str, at: datetime) -> Post:
        """Evaluates the audience on the directory as it is now and freezes it; one write, whoever many read it.

        Raises:
            NotFound: no such post in the caller's entity.
            Conflict: the etag is old, or the post is not a draft.
            Invalid: the audience is empty, or the date to acknowledge by has passed.
        """
        post = await editable(self.posts, caller, post_id)
        if post.request == request:
            return post
        must_be_current(post, etag)
        published = replace(post.published(self.view.audience(post.content.audience), at), request=request)
        saved = await self.posts.replace(published, Change("publish", caller, at), version=post.version)
        telemetry.points.reached("news.post.published")
        self.feed.put(saved)
        _published.inc()
        return saved
