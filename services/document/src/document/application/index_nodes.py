"""IndexNodes: has the indexes show nodes as they are now.

The index is a projection of the store: whatever it holds follows from what is read here, so it may be lost, and
made again. One round at a time, because what is written must be what was read last.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

import telemetry
from errors import NotFound
from telemetry import points

from document.application.ports import Content
from document.application.search_ports import Entry, Everything, Index, Indexes, Texts
from document.domain.extraction import Extracted
from document.domain.node import Kind, Node

log = telemetry.logger(__name__)
_indexed = telemetry.names.DOCUMENT_INDEXED.bind()
_BATCH: Final = 200


Read = Callable[[], Awaitable[Sequence[Node]]]


@dataclass(slots=True)
class IndexNodes:
    """The use case. `await_text` is told of files whose text is not taken out yet."""

    everything: Everything
    indexes: Indexes
    texts: Texts
    content: Content
    await_text: "Awaited"
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def __call__(self, read: Read, *, into: Index | None = None, follow: bool = True) -> Sequence[Node]:
        """The nodes that `read` gave, which are indexed; `into` one index alone.

        With `follow` all below the folders among them that came, went or moved follows.
        """
        async with self._turn:
            nodes = await read()
            await self._bring(nodes, into, follow=follow and into is None)
            return nodes

    async def again(self, node_ids: Sequence[str]) -> None:
        """The same, of nodes by their ids."""
        await self(lambda: self.everything.some(node_ids))

    async def finish(self, entity_id: str) -> None:
        """Has the index answer that was being made: nothing is written between its last page and that."""
        async with self._turn:
            await self.indexes.finish(entity_id)

    async def remove(self, entity_id: str, node_ids: Sequence[str]) -> None:
        """Takes out what the store no longer has."""
        async with self._turn:
            there = {node.node_id for node in await self.everything.some(node_ids)}
            gone = [node_id for node_id in node_ids if node_id not in there]
            for index in await self.indexes.written(entity_id) if gone else ():
                await index.put([], gone, [])

    async def _bring(self, nodes: Sequence[Node], into: Index | None, *, follow: bool) -> None:
        waiting = [list(nodes)]
        while waiting:
            batch = waiting.pop()
            rest = batch[_BATCH:]
            if rest:
                waiting.append(rest)
            moved = await self._bring_batch(batch[:_BATCH], into)
            for folder in moved if follow else ():
                after, more = None, True
                while more:
                    below, after = await self.everything.below(folder, after, _BATCH)
                    waiting.append(list(below))
                    more = after is not None

    async def _bring_batch(self, nodes: Sequence[Node], into: Index | None) -> set[str]:
        """The folders whose content has to follow them."""
        above = await self._above(nodes)
        known = await self.texts.find([node.versions[-1].blob for node in nodes if node.versions])
        follow = set[str]()
        for entity_id in dict.fromkeys(node.entity_id for node in nodes):
            theirs = [node for node in nodes if node.entity_id == entity_id]
            try:
                for index in [into] if into else await self.indexes.written(entity_id):
                    follow |= await self._bring_into(index, theirs, above, known)
            except NotFound as error:
                if error.reason != "SHREDDED":
                    raise
        self.await_text.add(
            node for node in nodes if node.versions and node.node_id in above and node.versions[-1].blob not in known
        )
        return follow

    async def _bring_into(
        self, index: Index, nodes: Sequence[Node], above: Mapping[str, tuple[str, ...]], known: Mapping[str, Extracted]
    ) -> set[str]:
        there = await index.marks([node.node_id for node in nodes])
        entries, gone, follow = list[Entry](), list[Node](), set[str]()
        for node in nodes:
            before = there.get(node.node_id)
            if node.node_id not in above:
                gone += [node] if before or node.kind is Kind.FOLDER else []
                continue
            extracted = known.get(node.versions[-1].blob) if node.versions else None
            place = _number(*above[node.node_id])
            mark = _number(node.etag, str(place), repr(extracted))
            if before is None or before.mark != mark:
                entries.append(Entry(node, above[node.node_id], await self._text(node, extracted), mark, place))
            if node.kind is Kind.FOLDER and (before is None or before.place != place):
                follow.add(node.node_id)
        if entries or gone:
            folders = [node.node_id for node in gone if node.kind is Kind.FOLDER]
            points.reached("document.index.read")
            await index.put(entries, [node.node_id for node in gone], folders)
            points.reached("document.index.put")
            _indexed.inc(len(entries))
        return follow

    async def _above(self, nodes: Sequence[Node]) -> dict[str, tuple[str, ...]]:
        """The ids of the way to each node that is in sight: there, whole, and not in the trash."""
        paths = await self.everything.paths(nodes)
        return {
            node_id: tuple(each.node_id for each in path)
            for node_id, path in paths.items()
            if not any(each.trashed for each in path)
        }

    async def _text(self, node: Node, extracted: Extracted | None) -> str:
        """Empty when it is not there any more: then it is taken out once more."""
        if extracted is None or not extracted.text_ref:
            return ""
        try:
            return b"".join([chunk async for chunk in self.content.get(extracted.text_ref)]).decode()
        except NotFound as error:
            if error.reason == "SHREDDED":
                raise
            await self.texts.forget([node.versions[-1].blob])
            self.await_text.add([node])
            return ""


class Awaited:
    """The files whose text is not taken out yet, by content, as far as there is room for them.

    Those for which there was none are found again by comparing the index with the store, when `short` is set.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._nodes: dict[str, dict[str, Node]] = {}
        self._left_out = False
        self.changed = asyncio.Event()
        self.short = asyncio.Event()

    def add(self, nodes: Iterable[Node]) -> None:
        for node in nodes:
            ref = node.versions[-1].blob
            if ref not in self._nodes and len(self._nodes) >= self._most:
                self._left_out = True
                continue
            self._nodes.setdefault(ref, {})[node.node_id] = node
            self.changed.set()

    def take(self) -> tuple[str, Sequence[Node]] | None:
        """A content, and the files that have it; None: there is none."""
        if not self._nodes:
            self.changed.clear()
            if self._left_out:
                self._left_out = False
                self.short.set()
            return None
        ref = next(iter(self._nodes))
        return ref, list(self._nodes.pop(ref).values())

    def __len__(self) -> int:
        return len(self._nodes)


def _number(*parts: str) -> int:
    return int.from_bytes(blake2b("\0".join(parts).encode(), digest_size=7).digest())
