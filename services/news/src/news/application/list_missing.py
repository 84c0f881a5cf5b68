"""Use case: an editor looks who has not acknowledged a post."""

from dataclasses import dataclass

from directory_view import View
from errors import NotFound
from rpc import Caller

from news.application.ports import Acknowledgements, Posts
from news.domain.post import State


@dataclass(frozen=True, slots=True)
class Missing:
    """A page of people's ids by number, and the counts of the whole audience.

    `after` is the last number shown, None at the end.
    """

    person_ids: list[str]
    after: int | None
    missing: int
    audience_size: int


@dataclass(frozen=True, slots=True)
class ListMissing:
    posts: Posts
    acknowledgements: Acknowledgements
    view: View

    async def __call__(self, caller: Caller, post_id: str, after: int | None, limit: int) -> Missing:
        """The audience less those who acknowledged the current version: a difference of bitmaps.

        Editors of the post's entity see all of them, other editors those of their own entity.

        Raises:
            NotFound: the post is none of the caller's entity, and for nobody in it.
        """
        post = await self.posts.get(post_id)
        seen = post.people
        if not caller.may_act_for(post.entity_id):
            seen = seen & self.view.audience(f'entity = "{caller.entity_id}"')
            if not seen or post.state is not State.PUBLISHED:
                raise NotFound("no such post", reason="POST_NOT_FOUND")
        missing = post.people - await self.acknowledgements.numbers(post_id, post.text_version)
        shown = missing & seen
        start = 0 if after is None else shown.rank(after)
        page = list(shown[start : start + limit])
        return Missing(
            person_ids=[person.person_id for person in self.view.people(page)],
            after=page[-1] if start + limit < len(shown) else None,
            missing=len(missing),
            audience_size=len(post.people),
        )
