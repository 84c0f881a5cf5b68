"""What every change of a post begins with."""

from errors import Conflict, NotFound
from rpc import Caller

from news.application.ports import Posts
from news.domain.post import Post


async def editable(posts: Posts, caller: Caller, post_id: str) -> Post:
    """The post, for an editor of its entity; to all others it does not exist."""
    post = await posts.get(post_id)
    if not caller.may_act_for(post.entity_id):
        raise NotFound("no such post", reason="POST_NOT_FOUND")
    return post


def must_be_current(post: Post, etag: str) -> None:
    """Raises Conflict when the caller acted on an older state."""
    if etag != post.etag:
        raise Conflict("the post has changed meanwhile", reason="STALE", etag=post.etag)
