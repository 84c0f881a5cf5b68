"""Use case: an editor looks how far a post has come, without learning about anybody."""

from dataclasses import dataclass

from directory_view import Bitmap, View
from rpc import Caller

from news.application.audiences import Audiences
from news.application.editing import editable
from news.application.ports import MarkKind, Marks, Posts
from news.domain.reach import Count, suppressed


@dataclass(frozen=True, slots=True)
class Reach:
    """The whole, then by entity, by role and by profession; cells that could point at a person are left out."""

    whole: Count
    entities: list[Count]
    roles: list[Count]
    professions: list[Count]


@dataclass(frozen=True, slots=True)
class GetReach:
    posts: Posts
    marks: Marks
    audiences: Audiences
    view: View

    async def __call__(self, caller: Caller, post_id: str) -> Reach:
        """Raises NotFound when there is no such post in the caller's entity."""
        post = await editable(self.posts, caller, post_id)
        audience = self.audiences.working(post.live) if post.live is not None else Bitmap()
        acknowledged = await self.marks.numbers(MarkKind.ACKNOWLEDGED, post_id, post.text_version)
        acknowledged = acknowledged & audience
        read = (await self.marks.numbers(MarkKind.READ, post_id, post.text_version) & audience) | acknowledged
        return Reach(
            whole=suppressed([Count("", len(audience), len(read), len(acknowledged))])[0],
            entities=self._by("entity", audience, read, acknowledged),
            roles=self._by("role", audience, read, acknowledged),
            professions=self._by("profession", audience, read, acknowledged),
        )

    def _by(self, attribute: str, audience: Bitmap, read: Bitmap, acknowledged: Bitmap) -> list[Count]:
        counts = [self.view.counts(attribute, people) for people in (audience, read, acknowledged)]
        cells = [
            Count(value, size, counts[1].get(value, 0), counts[2].get(value, 0))
            for value, size in sorted(counts[0].items())
        ]
        return suppressed(cells)
