"""Use case: look a group up."""

from dataclasses import dataclass

from errors import NotFound

from directory.application.ports import Records
from directory.domain.records import Group


@dataclass(frozen=True, slots=True)
class GetGroup:
    records: Records

    async def __call__(self, name: str) -> Group:
        """The group with this id or address.

        Raises:
            NotFound: there is none, or it was removed.
        """
        keys, addresses = ((), [name.lower()]) if "@" in name else ([f"group/{name}"], ())
        found = await self.records.some(keys, addresses)
        for group in found.groups.values():
            if not group.removed:
                return group
        raise NotFound("no such group", reason="GROUP_NOT_FOUND")
