"""What every change of a post has in common."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from errors import Conflict, NotFound
from rpc import Caller

from news.application.ports import Change, Posts
from news.domain.feed import Feed
from news.domain.post import Post


async def editable(posts: Posts, caller: Caller, post_id: str) -> Post:
    """The post, for those who may edit or review it by their role; to people of other entities it does not exist."""
    post = await posts.get(post_id)
    if not caller.may_act_for(post.entity_id):
        raise NotFound("no such post", reason="POST_NOT_FOUND")
    return post


@dataclass(frozen=True, slots=True)
class Editing:
    """Changes one post: reads it, acts on it as it is, writes it over the version that was read."""

    posts: Posts
    feed: Feed

    async def __call__(
        self, post_id: str, change: Change, act: Callable[[Post], Post], *, request: str, etag: str | None = None
    ) -> Post:
        """The post as it is then; a repetition of the request that made it so changes nothing.

        Raises:
            NotFound: no such post in the caller's entity.
            Conflict: the etag is old, somebody changed it in the meantime, or as `act` says.
        """
        post = await editable(self.posts, change.by, post_id)
        if post.request == request:
            return post
        if etag is not None and etag != post.etag:
            raise Conflict("the post has changed meanwhile", reason="STALE", etag=post.etag)
        changed = replace(act(post), request=request)
        saved = await self.posts.replace(changed, change, version=post.version)
        if saved.live is not None:
            self.feed.put(saved)
        return saved
