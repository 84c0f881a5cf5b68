"""FollowStore: keeps the indexes as the store is, by what changes in it, and once in a while by looking at all of it.

Changes are read as `watch` reads them, of all spaces at once. A look goes back a little, and now and then the whole
minute within which a change may come to light after its stamp.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from telemetry import points

from document.application.index_nodes import IndexNodes
from document.application.search_ports import Epochs, Everything, Index, Indexes
from document.application.watch import LATE
from document.domain.node import Node

_BATCH: Final = 200
_LATE_MOSTLY: Final = timedelta(seconds=2)
_FAR_BACK_EVERY: Final = timedelta(seconds=10)
_BEGINNING: Final = datetime.fromtimestamp(0, UTC)


@dataclass(slots=True)
class FollowStore:
    """The use case; `now` is by this process's clock, stamps by those of the writers."""

    everything: Everything
    indexes: Indexes
    index_nodes: IndexNodes
    epochs: Epochs
    _newest: datetime = _BEGINNING
    _far_back: datetime = _BEGINNING
    _told: dict[str, tuple[int, datetime]] = field(default_factory=dict)

    async def whole(self, now: datetime) -> None:
        """Has the indexes show all that is in the store, and nothing else. What changes meanwhile, `look` brings."""
        self._newest = max(self._newest, now - LATE)
        await self._all_of("", None)
        for entity_id in self.indexes.entities():
            await self._vanished(entity_id)

    async def look(self, now: datetime) -> int:
        """Brings what has changed since the last look; how many nodes."""
        far = now - self._far_back >= _FAR_BACK_EVERY
        since = self._newest - (LATE if far else _LATE_MOSTLY)
        after, count, more = None, 0, True
        while more:
            page = await self.everything.changed_anywhere(since, after, _BATCH)
            fresh = [(stamp, node) for stamp, node in page.changed if self._is_news(node)]
            if fresh:
                await self.index_nodes.again([node.node_id for _, node in fresh])
                points.reached("document.index.followed")
            for stamp, node in fresh:
                self._told[node.node_id] = node.revision, stamp
                self._newest = max(self._newest, stamp)
            count += len(fresh)
            after, more = page.after, page.after is not None
        if far:
            self._far_back = now
            self._told = {key: told for key, told in self._told.items() if told[1] >= self._newest - 2 * LATE}
        return count

    async def guard(self) -> Sequence[str]:
        """Drops the indexes of entities whose keys are destroyed, and makes those anew that were asked for."""
        dropped = await self.indexes.drop_unreadable()
        for entity_id, epoch in (await self.epochs.all()).items():
            index = await self.indexes.begin(entity_id, epoch)
            if index is not None:
                await self._all_of(entity_id, index)
                points.reached("document.index.rebuilt")
                await self.index_nodes.finish(entity_id)
        return dropped

    async def _all_of(self, entity_id: str, into: Index | None) -> None:
        nodes: Sequence[Node] = ()
        while True:
            last = nodes[-1].node_id if nodes else ""

            async def read(last: str = last) -> Sequence[Node]:
                return await self.everything.every(entity_id, last, _BATCH)

            nodes = await self.index_nodes(read, into=into, follow=False)
            points.reached("document.index.page")
            if len(nodes) < _BATCH:
                return

    async def _vanished(self, entity_id: str) -> None:
        index = await self.indexes.answering(entity_id)
        after = None
        while index is not None:
            places = await index.all(after, _BATCH)
            await self.index_nodes.remove(entity_id, [place.node_id for place in places])
            if len(places) < _BATCH:
                return
            after = places[-1]

    def _is_news(self, node: Node) -> bool:
        told = self._told.get(node.node_id)
        return told is None or told[0] < node.revision
