"""Use case: an editor looks who has not acknowledged a post."""

from dataclasses import dataclass

from directory_view import Bitmap, View
from errors import NotFound
from rpc import Caller

from news.application.audiences import Audiences
from news.application.ports import MarkKind, Marks, Posts
from news.domain.post import Post


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
class Cell:
    """How many of the audience are in one part of the ministry, and how many of them have not acknowledged."""

    entity_id: str
    unit_id: str
    audience_size: int
    missing: int


@dataclass(frozen=True, slots=True)
class ListMissing:
    """The audience less those who acknowledged the current version: a difference of bitmaps.

    Who has left is missing no more. Editors of the post's entity see all of them, other editors those of their
    own entity.
    """

    posts: Posts
    marks: Marks
    audiences: Audiences
    view: View

    async def __call__(self, caller: Caller, post_id: str, after: int | None, limit: int) -> Missing:
        """Raises NotFound when the post is none of the caller's entity, and for nobody in it."""
        audience, missing, seen = await self._look(caller, post_id)
        shown = missing & seen
        start = 0 if after is None else shown.rank(after)
        page = list(shown[start : start + limit])
        return Missing(
            person_ids=[person.person_id for person in self.view.people(page)],
            after=page[-1] if start + limit < len(shown) else None,
            missing=len(missing),
            audience_size=len(audience),
        )

    async def cells(self, caller: Caller, post_id: str) -> tuple[list[Cell], list[Cell]]:
        """By entity, and by unit (a unit without those below it); raises as the list does."""
        audience, missing, seen = await self._look(caller, post_id)
        audience, missing = audience & seen, missing & seen
        late = self.view.counts("entity", missing)
        entities = [
            Cell(entity_id, "", size, late.get(entity_id, 0))
            for entity_id, size in sorted(self.view.counts("entity", audience).items())
        ]
        late = self.view.counts("unit", missing)
        units = [
            Cell(unit.entity_id if (unit := self.view.unit(unit_id)) else "", unit_id, size, late.get(unit_id, 0))
            for unit_id, size in sorted(self.view.counts("unit", audience).items())
        ]
        return entities, units

    async def _look(self, caller: Caller, post_id: str) -> tuple[Bitmap, Bitmap, Bitmap]:
        """The readers who work here, those of them who have not, and those whom the caller may see."""
        post = await self.posts.get(post_id)
        audience = self._audience(post)
        seen = audience
        if not caller.may_act_for(post.entity_id):
            seen = audience & self.view.audience(f'entity = "{caller.entity_id}"')
            if not seen or not post.in_feeds:
                raise NotFound("no such post", reason="POST_NOT_FOUND")
        acknowledged = await self.marks.numbers(MarkKind.ACKNOWLEDGED, post_id, post.text_version)
        return audience, audience - acknowledged, seen

    def _audience(self, post: Post) -> Bitmap:
        return self.audiences.working(post.live) if post.live is not None else Bitmap()
