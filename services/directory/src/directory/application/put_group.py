"""Use case: a group is made, changed or removed."""

from dataclasses import dataclass
from datetime import datetime

from rpc import Caller

from directory.application.ports import Deed, Records
from directory.application.put_record import put_record
from directory.domain.records import Group


@dataclass(frozen=True, slots=True)
class PutGroup:
    records: Records

    async def __call__(self, caller: Caller, group: Group, *, request: str, at: datetime) -> Group:
        """Keeps the group; see `put_record` for the errors."""
        verb = "create" if group.version == 0 else "remove" if group.removed else "update"
        kept = await put_record(self.records, group, Deed(verb, caller, at, request))
        assert isinstance(kept, Group)
        return kept
