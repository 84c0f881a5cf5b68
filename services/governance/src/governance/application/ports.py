"""What the use cases need from outside."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from rpc import Caller

from governance.domain.chain import Head, Link
from governance.domain.dead_letter import DeadLetter, Queue


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


class DeadLetters(Protocol):
    """What no service could settle, of all streams."""

    def queues(self) -> Sequence[Queue]:
        """Every stream and consumer that there can be letters of, in order."""
        ...

    async def list(self, queue: Queue, *, settled: bool) -> Sequence[DeadLetter]:
        """The letters by number; with `settled` also those that were redriven or dropped."""
        ...

    async def get(self, queue: Queue, number: int) -> DeadLetter:
        """Raises NotFound."""
        ...

    async def redrive(self, queue: Queue, numbers: Sequence[int]) -> None:
        """Raises NotFound, or Conflict when another redrive has some of them."""
        ...

    async def drop(self, queue: Queue, numbers: Sequence[int]) -> None:
        """Raises NotFound."""
        ...


class Audit(Protocol):
    """Records what operators do, before it is done."""

    async def __call__(
        self, caller: Caller, verb: str, queue: Queue, audit_id: str, details: Mapping[str, str]
    ) -> None: ...
