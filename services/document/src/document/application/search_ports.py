"""What search needs from outside."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from document.application.ports import ChangedPage, Position, Stamped
from document.domain.extraction import Extracted, Taken
from document.domain.node import Act, Node
from document.domain.permissions import Grantee
from document.domain.search import Filters, Place, Query


@dataclass(frozen=True, slots=True)
class Entry:
    """What is indexed of a node that is in sight.

    `above` are the ids of the nodes above it and its own; `mark` differs when anything of it does,
    `place` when `above` does.
    """

    node: Node
    above: tuple[str, ...]
    text: str
    mark: int
    place: int


@dataclass(frozen=True, slots=True)
class Marks:
    """Those of the entry that is indexed."""

    mark: int
    place: int


class Index(Protocol):
    """What is found by words: the nodes of one entity, on the disk of this process.

    NotFound SHREDDED when the keys of the entity's content are destroyed: the words in it are sealed with them.
    """

    async def marks(self, node_ids: Sequence[str]) -> Mapping[str, Marks]:
        """Those of the nodes that are indexed and committed."""
        ...

    async def put(self, entries: Sequence[Entry], gone: Sequence[str], gone_below: Sequence[str]) -> None:
        """Takes these in, in place of what there was of them, and others out, some with all below; durable after it."""
        ...

    async def all(self, after: Place | None, limit: int) -> Sequence[Place]:
        """What is indexed, in the order of places."""
        ...

    async def find(
        self, query: Query, filters: Filters, roots: Sequence[str], after: Place | None, limit: int
    ) -> Sequence[Place]:
        """What matches, and is one of the roots or below one, in the order of places."""
        ...


class Stemmer(Protocol):
    def stems(self, word: str) -> frozenset[str]:
        """What folded words share that are the same but for their endings, in Portuguese or in English."""
        ...


class Indexes(Protocol):
    """The indexes of this process, one an entity."""

    def entities(self) -> Sequence[str]: ...

    async def answering(self, entity_id: str) -> Index | None:
        """The one to search; None: there is nothing of the entity."""
        ...

    async def written(self, entity_id: str) -> Sequence[Index]:
        """Those that take in what changes: the one to search, and one that is being made."""
        ...

    async def begin(self, entity_id: str, epoch: int) -> Index | None:
        """An empty one, to be made; None when this epoch is there."""
        ...

    async def finish(self, entity_id: str) -> None:
        """The one that was being made answers from now on; the old one goes."""
        ...

    async def drop(self, entity_id: str) -> None:
        """Takes all of the entity from the disk."""
        ...

    async def drop_unreadable(self) -> Sequence[str]:
        """Drops those whose keys are destroyed."""
        ...


class Everything(Protocol):
    """The nodes of all spaces, as the index reads them; older versions left out."""

    async def changed_anywhere(self, since: datetime, after: Stamped | None, limit: int) -> ChangedPage:
        """The nodes whose last change bears this stamp or a later one."""
        ...

    async def every(self, entity_id: str, after: str, limit: int) -> Sequence[Node]:
        """The nodes of an entity, or of all ("") by id, behind one."""
        ...

    async def some(self, node_ids: Sequence[str]) -> Sequence[Node]:
        """Those of these nodes that are there."""
        ...

    async def paths(self, nodes: Sequence[Node]) -> Mapping[str, tuple[Node, ...]]:
        """The path of each node, as `Nodes.path` gives it; nothing for what is nowhere."""
        ...

    async def below(self, folder_id: str, after: Position | None, limit: int) -> tuple[Sequence[Node], Position | None]:
        """What lies in a folder, whether anybody may see it or not."""
        ...

    def roots(self, grantees: Sequence[Grantee]) -> AsyncIterator[tuple[str, str]]:
        """The entity and the id of each node that was granted, or denied, to one of these."""
        ...


class Texts(Protocol):
    """What became of the contents out of which text was taken, by content."""

    async def find(self, refs: Sequence[str]) -> Mapping[str, Extracted]:
        """Those that are done."""
        ...

    async def claim(self, ref: str, entity_id: str, now: datetime, until: datetime) -> bool:
        """Whether nobody else does it now, nor has done it; the claim ends by itself."""
        ...

    async def keep(self, ref: str, extracted: Extracted) -> None: ...

    async def sources(self, text_refs: Sequence[str]) -> Mapping[str, Collection[str]]:
        """Out of which contents these texts were taken."""
        ...

    async def forget(self, refs: Sequence[str]) -> None: ...

    async def forget_entity(self, entity_id: str) -> None: ...


class Extractor(Protocol):
    """Takes text out of content, in a process that can do nothing else and not for long."""

    async def extract(self, media_type: str, chunks: AsyncIterator[bytes]) -> Taken: ...


class Epochs(Protocol):
    """How often the index of an entity was asked to be made anew, with the audit record about it, in one write."""

    async def all(self) -> Mapping[str, int]: ...

    async def advance(self, entity_id: str, act: Act, *, extract: bool) -> None:
        """Asks once more; a repeated act is one."""
        ...
