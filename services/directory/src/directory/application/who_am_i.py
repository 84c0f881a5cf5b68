"""Use case: the caller as the directory knows them."""

from dataclasses import dataclass

from errors import NotFound
from rpc import Caller

from directory.application.ports import Records
from directory.domain.records import Entity, Person


@dataclass(frozen=True, slots=True)
class WhoAmI:
    records: Records

    async def __call__(self, caller: Caller) -> tuple[Person, Entity]:
        """The person whose id is the token's subject, and the entity where they work.

        Raises:
            NotFound: the directory does not know them.
        """
        person = (await self.records.some([f"person/{caller.subject}"])).people.get(caller.subject)
        if person is not None:
            entity = (await self.records.some([f"entity/{person.entity_id}"])).entities.get(person.entity_id)
            if entity is not None:
                return person, entity
        raise NotFound("the directory does not know the caller", reason="PERSON_NOT_FOUND")
