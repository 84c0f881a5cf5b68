"""What the use cases need from outside."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from governance.domain.chain import Head, Link


class Chains(Protocol):
    """The chains of all entities."""

    async def known(self, audit_ids: Sequence[str]) -> set[str]:
        """Those of the records that stand in a chain."""
        ...

    async def head(self, entity_id: str) -> Head:
        """The head of the chain, which may be longer by the time it is read; that of an empty one if there is none."""
        ...

    async def append(self, links: Sequence[Link]) -> None:
        """Appends links of one chain in their order; those before a refused one stay.

        Raises:
            Conflict: another writer took a sequence or a record first.
        """
        ...

    def read(self, entity_id: str, after: int) -> AsyncIterator[Link]:
        """The links behind sequence `after`, in order."""
        ...

    async def entities(self, after: str | None, limit: int) -> Sequence[str]:
        """At most `limit` entities that have a chain, by id; behind `after` if given."""
        ...
