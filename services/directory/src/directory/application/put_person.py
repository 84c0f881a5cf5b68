"""Use case: somebody joins, moves, changes or leaves."""

from dataclasses import dataclass
from datetime import datetime

from rpc import Caller

from directory.application.ports import Deed, Records
from directory.application.put_record import put_record
from directory.domain.records import Person


@dataclass(frozen=True, slots=True)
class PutPerson:
    records: Records

    async def __call__(self, caller: Caller, person: Person, *, request: str, at: datetime) -> Person:
        """Keeps the person, who gets a number when they are new; see `put_record` for the errors."""
        verb = "create" if person.version == 0 else "update" if person.active else "leave"
        kept = await put_record(self.records, person, Deed(verb, caller, at, request))
        assert isinstance(kept, Person)
        return kept
