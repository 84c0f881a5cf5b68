"""Use case: look somebody up."""

from dataclasses import dataclass

from errors import NotFound

from directory.application.ports import Records
from directory.domain.records import Person


@dataclass(frozen=True, slots=True)
class GetPerson:
    records: Records

    async def __call__(self, name: str) -> Person:
        """The person with this id, who may have left, or with this address.

        Raises:
            NotFound: there is none.
        """
        keys, addresses = ((), [name.lower()]) if "@" in name else ([f"person/{name}"], ())
        found = await self.records.some(keys, addresses)
        for person in found.people.values():
            return person
        raise NotFound("no such person", reason="PERSON_NOT_FOUND")
