"""Use case: an editor looks how far a post has come, without learning about anybody."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from directory_view import Bitmap, View
from rpc import Caller

from news.application.audiences import Audiences
from news.application.editing import editable
from news.application.ports import MarkKind, Marks, Posts
from news.domain.reach import Cell, Count, told

_TABLES: Final = ("entity", "role", "profession")


@dataclass(frozen=True, slots=True)
class Reach:
    """The whole, then by entity, by role and by profession; figures that could point at a person are left out."""

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
        read = await self.marks.numbers(MarkKind.READ, post_id, post.text_version) | acknowledged
        tables = [self._cells(attribute, audience) for attribute in _TABLES]
        whole, values = told(audience, tables)

        def counts(cells: Sequence[Cell], shown: set[str]) -> list[Count]:
            return [_count(cell, read, acknowledged, shown=cell.value in shown) for cell in cells]

        entities, roles, professions = map(counts, tables, values)
        return Reach(_count(Cell("", audience), read, acknowledged, shown=whole), entities, roles, professions)

    def _cells(self, attribute: str, audience: Bitmap) -> list[Cell]:
        held = self.view.divided(attribute, audience)
        return [Cell(value, held[value]) for value in sorted(held)]


def _count(cell: Cell, read: Bitmap, acknowledged: Bitmap, *, shown: bool) -> Count:
    if not shown:
        return Count(cell.value, len(cell.people), None, None)
    return Count(
        cell.value,
        len(cell.people),
        cell.people.intersection_cardinality(read),
        cell.people.intersection_cardinality(acknowledged),
    )
