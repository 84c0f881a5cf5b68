"""Use cases: those who edit and review a post look at it, its history and its obstacles."""

from dataclasses import dataclass

from rpc import Caller

from news.application.editing import editable
from news.application.ports import Deed, Page, Posts
from news.domain import accessibility
from news.domain.accessibility import Finding
from news.domain.post import State
from news.domain.text import Variant


@dataclass(frozen=True, slots=True)
class LookAtPosts:
    """For editors and approvers; raises NotFound for posts of entities that the caller may not act for."""

    posts: Posts

    async def check(self, caller: Caller, post_id: str) -> list[Finding]:
        """What keeps people from reading the text in hand."""
        return accessibility.findings((await editable(self.posts, caller, post_id)).content.variants)

    async def history(self, caller: Caller, post_id: str, etag: str) -> tuple[list[Deed], tuple[Variant, ...]]:
        """Who did what, newest first, and the texts that the version `etag` had; none for an empty one."""
        await editable(self.posts, caller, post_id)
        return await self.posts.history(post_id), await self.posts.text(post_id, etag) if etag else ()

    async def of_state(self, caller: Caller, state: State, after: str | None, limit: int) -> Page:
        """The posts of the caller's own entity."""
        return await self.posts.page(caller.entity_id, state, after, limit)
