"""Use case: leaf through the people of an entity."""

from collections.abc import Sequence
from dataclasses import dataclass

from errors import NotFound

from directory.application.ports import Records
from directory.domain.records import Person


@dataclass(frozen=True, slots=True)
class ListPeople:
    records: Records

    async def __call__(self, entity_id: str, after: str, limit: int) -> tuple[Sequence[Person], str]:
        """Who works there, in the order of their ids, and the id to go on behind ("" at the end).

        Raises:
            NotFound: there is no such entity.
        """
        people, rest = await self.records.people(entity_id, after, limit)
        if not people and not (await self.records.some([f"entity/{entity_id}"])).entities:
            raise NotFound("no such entity", reason="ENTITY_NOT_FOUND")
        return people, rest
