"""Use case: leaf through the entities."""

from collections.abc import Sequence
from dataclasses import dataclass

from directory.application.ports import Records
from directory.domain.records import Entity


@dataclass(frozen=True, slots=True)
class ListEntities:
    records: Records

    async def __call__(self, after: str, limit: int) -> tuple[Sequence[Entity], str]:
        """The entities in the order of their ids, and the id to go on behind ("" at the end)."""
        return await self.records.entities(after, limit)
