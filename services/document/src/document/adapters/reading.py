"""Nodes in MongoDB as the index reads them: many at once, of all spaces."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from store import Collection

from document.adapters.store import HOPS, LISTED, TICK, node_of
from document.application.ports import ChangedPage, Position, Stamped
from document.domain.node import Node
from document.domain.permissions import Grantee

_AT_ONCE = 500


class NodeReader:
    """The port `Everything`."""

    def __init__(self, nodes: Collection) -> None:
        self._nodes = nodes

    async def changed_anywhere(self, since: datetime, after: Stamped | None, limit: int) -> ChangedPage:
        page = await self._nodes.page({}, "changed_at", after or (since - TICK, ""), limit, projection=LISTED)
        return ChangedPage([(document["changed_at"], node_of(document)) for document in page.documents], page.after)

    async def every(self, entity_id: str, after: str, limit: int) -> Sequence[Node]:
        query = {"entity_id": entity_id} if entity_id else {}
        page = await self._nodes.page(query, "_id", (after, after), limit, projection=LISTED)
        return [node_of(document) for document in page.documents]

    async def some(self, node_ids: Sequence[str]) -> Sequence[Node]:
        found = list[Node]()
        for begin in range(0, len(node_ids), _AT_ONCE):
            query = {"_id": {"$in": list(node_ids[begin : begin + _AT_ONCE])}}
            found += [node_of(document) async for document in self._nodes.find(query, projection=LISTED)]
        return found

    async def paths(self, nodes: Sequence[Node]) -> dict[str, tuple[Node, ...]]:
        """One query a level, for all of them together."""
        known = {node.node_id: node for node in nodes}
        asked = set(known)
        for _ in range(HOPS):
            missing = {node.parent_id for node in known.values() if node.parent_id} - asked
            if not missing:
                break
            asked |= missing
            known |= {node.node_id: node for node in await self.some(sorted(missing))}
        return {node.node_id: path for node in nodes if (path := _path(node, known))}

    async def below(self, folder_id: str, after: Position | None, limit: int) -> tuple[Sequence[Node], Position | None]:
        page = await self._nodes.page({"shelf": folder_id}, "key", after, limit, projection=LISTED)
        return [node_of(document) for document in page.documents], page.after

    async def roots(self, grantees: Sequence[Grantee]) -> AsyncIterator[tuple[str, str]]:
        query = {"grants.to": {"$in": [str(grantee) for grantee in grantees]}}
        async for document in self._nodes.find(query, projection={"entity_id": True}):
            yield document["entity_id"], document["_id"]


def _path(node: Node, known: dict[str, Node]) -> tuple[Node, ...]:
    """Empty when it does not lead to a top folder: half a path would hide a denial."""
    upwards = list[Node]()
    at: Node | None = node
    while at is not None:
        if at.arriving or at.purged or len(upwards) == HOPS:
            return ()
        upwards.append(at)
        if at.is_top:
            return tuple(reversed(upwards))
        at = known.get(at.parent_id)
    return ()
