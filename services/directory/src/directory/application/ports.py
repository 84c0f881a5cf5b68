"""What the use cases ask of the outside."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from rpc import Caller

from directory.domain.plan import Change, Moved
from directory.domain.records import Directory, Entity, Person, Record


@dataclass(frozen=True, slots=True)
class Deed:
    """Who did what, when, by which request; becomes the audit fact of the same write."""

    verb: str
    """ "create", "update", "leave" or "remove"."""
    by: Caller
    at: datetime
    request: str


@dataclass(frozen=True, slots=True)
class Begun:
    """That an import was thought through and begins; becomes an audit fact for each entity that it changes."""

    import_id: str
    by: Caller
    at: datetime
    changes: Mapping[str, Mapping[str, int]]
    """Entity -> "added", "changed" or "left" -> how many records."""
    digests: Mapping[str, str]
    """Table -> SHA-256 of its file."""


class Records(Protocol):
    """The records; a write carries the facts that it makes true in the same atomic write."""

    async def everything(self) -> Directory:
        """All that is kept."""
        ...

    async def some(self, keys: Collection[str], names: Collection[str] = ()) -> Directory:
        """The records with these keys, and those that have one of these addresses or domains."""
        ...

    async def people(self, entity_id: str, after: str, limit: int) -> tuple[Sequence[Person], str]:
        """Who works in an entity, in the order of the ids behind `after`; with the id to go on behind, or ""."""
        ...

    async def entities(self, after: str, limit: int) -> tuple[Sequence[Entity], str]:
        """The entities, as `people`."""
        ...

    async def made_by(self, record: Record, request: str) -> bool:
        """Whether that request made the record what it is now."""
        ...

    async def put(self, change: Change, deed: Deed) -> None:
        """Keeps the record; its version is one more than that of what was kept.

        Raises:
            Conflict: it is not what was kept any more, or an id, number or name of it is another record's.
        """
        ...

    async def put_all(self, changes: Sequence[Change], at: datetime) -> None:
        """`put` for many, in no promised order and without audit records; all are tried.

        Raises:
            Conflict: as in `put`, for at least one.
        """
        ...

    async def published(self, within: float) -> None:
        """Returns when no fact waits to be published any more, or after so many seconds."""
        ...

    async def release(self, moved: Sequence[Moved]) -> None:
        """Lets other records have the names; nothing else changes.

        Raises:
            Conflict: a record is not what was kept any more.
        """
        ...

    async def next_number(self) -> int:
        """The number below which all others have been reserved."""
        ...

    async def reserve_numbers(self, count: int) -> int:
        """Takes the next `count` numbers, which nobody else will get; returns the first."""
        ...

    async def begin_import(self, begun: Begun) -> None:
        """Records that an import begins."""
        ...
