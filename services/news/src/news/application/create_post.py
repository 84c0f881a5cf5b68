"""Use case: an editor begins a post."""

from dataclasses import dataclass, replace
from datetime import datetime

from errors import Conflict
from rpc import Caller

from news.application.audiences import Audiences
from news.application.ports import Change, Posts
from news.domain.content import Content
from news.domain.post import Post


@dataclass(frozen=True, slots=True)
class CreatePost:
    posts: Posts
    audiences: Audiences
    # What the installation asks for, whatever the editor says.
    least_approvals: int

    async def __call__(self, caller: Caller, content: Content, *, post_id: str, at: datetime) -> Post:
        """Stores a draft; `post_id` follows from the request, so that its repetition finds the first.

        Raises:
            Invalid: the audience cannot be understood.
        """
        content, size = settled(self.audiences, content, self.least_approvals)
        post = Post(
            post_id=post_id,
            entity_id=caller.entity_id,
            author_id=caller.subject,
            content=content,
            editors=(caller.subject,),
            audience_size=size,
            request=post_id,
        )
        try:
            await self.posts.add(post, Change("create", caller, at))
        except Conflict:
            return await self.posts.get(post_id)
        return post


def settled(audiences: Audiences, content: Content, least_approvals: int) -> tuple[Content, int]:
    """The content as it is saved, its audience in the form that is evaluated, and how many people that is now."""
    expression = audiences.canonical(content.audience)
    approvals = max(content.approvals, least_approvals)
    return replace(content, audience=expression, approvals=approvals), len(audiences.evaluate(expression))
