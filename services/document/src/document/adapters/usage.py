"""What spaces and entities hold, in MongoDB: one document each, and the nodes whose writes are booked in them.

`free` is the limit less what is used and set aside, so that one conditional write sets bytes aside.
"""

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from errors import Conflict, NotFound
from store import Collection, Document, known

from document.adapters import wire
from document.adapters.store import NodeStore
from document.application.meter import Meter
from document.domain.deeds import Deed
from document.domain.node import Act, Node
from document.domain.quota import Charge, Usage, charge_of, entity, space

_SIZES = {"space_id": True, "versions.size": True}


class UsageStore:
    """The port `Usages`; `limits` are those of a "space" and an "entity" for which nobody has set one."""

    def __init__(self, usages: Collection, nodes: Collection, limits: Mapping[str, int]) -> None:
        self._usages = usages
        self._nodes = nodes
        self._limits = limits

    async def of(self, holder: str) -> Usage:
        return _usage(await self._document(holder))

    async def limit(self, holder: str, limit: int, entity_id: str, act: Act) -> None:
        facts = [wire.quota_set(holder, limit, entity_id, act)]
        while True:
            document = await self._document(holder)
            change = {"$set": {"limit": limit}, "$inc": {"free": limit - document["limit"]}}
            try:
                return await self._usages.update(holder, change, where={"limit": document["limit"]}, facts=facts)
            except Conflict:  # somebody else has set another one
                continue

    async def reserve(self, holder: str, charges: Sequence[Charge]) -> bool:
        size = sum(max(charge.size, 0) for charge in charges)
        change: dict[str, Document] = {
            "$inc": {"free": -size},
            "$push": {"pending": {"$each": [_stored(charge) for charge in charges]}},
        }
        while True:
            try:
                await self._usages.update(holder, change, where={"free": {"$gte": size}} if size else {})
            except Conflict:
                return False
            except NotFound:  # its first
                await self._document(holder)
            else:
                return True

    async def settle(self, holder: str, charges: Sequence[Charge], made: Sequence[Charge]) -> None:
        """Charges are set aside and settled together, so that the first stands for all of them."""
        ids = [charge.charge_id for charge in charges]
        used = sum(charge.size for charge in made)
        aside = sum(max(charge.size, 0) for charge in charges)
        change: dict[str, Document] = {
            "$inc": {"used": used, "free": aside - used},
            "$pull": {"pending": {"charge_id": {"$in": ids}}},
        }
        try:
            await self._usages.update(holder, change, where={"pending.charge_id": ids[0]})
        except Conflict:
            return  # settled already

    async def was_made(self, charge: Charge) -> bool:
        node = await self._nodes.get(charge.node_id, projection={"charge": True})
        return node is not None and node.get("charge") == charge.charge_id

    async def held(self, entity_id: str) -> Mapping[str, int]:
        """One look at all nodes of the entity; also those in the trash, purged ones and copies not whole yet count."""
        held = Counter({entity(entity_id): 0})
        async for node in self._nodes.find({"entity_id": entity_id}, projection=_SIZES):
            size = _size(node)
            held[space(node["space_id"])] += size
            held[entity(entity_id)] += size
        return held

    async def held_by(self, holder: str) -> int:
        kind, _, holder_id = holder.partition(":")
        nodes = self._nodes.find({f"{kind}_id": holder_id}, projection=_SIZES)
        return sum([_size(node) async for node in nodes])

    async def revision(self, holder: str) -> tuple[Usage, int]:
        document = await self._document(holder)
        return _usage(document), document["version"]

    async def correct(self, holder: str, revision: int, before: int, held: int, entity_id: str, act: Act) -> bool:
        change = {"$inc": {"used": held - before, "free": before - held}}
        facts = [wire.quota_recounted(holder, before, held, entity_id, act)]
        try:
            await self._usages.update(holder, change, version=revision, facts=facts)
        except Conflict:
            return False
        return True

    async def _document(self, holder: str) -> Document:
        while True:
            document = await self._usages.get(holder)
            if document is not None:
                return document
            limit = self._limits[holder.partition(":")[0]]
            new = {"_id": holder, "used": 0, "limit": limit, "free": limit, "pending": []}
            try:
                await self._usages.insert(new)
            except Conflict:
                continue


class MeteredNodes(NodeStore):
    """The port `Nodes`, whose writes are booked; `new_id` gives an id that nobody else has."""

    def __init__(self, nodes: Collection, meter: Meter, new_id: Callable[[], str], now: Callable[[], datetime]) -> None:
        super().__init__(nodes, now)
        self._meter = meter
        self._new_id = new_id

    async def check_room(self, node: Node, size: int) -> None:
        await self._meter.check_room(node.space_id, node.entity_id, size)

    async def add(self, node: Node, deed: Deed) -> None:
        async with self._booked(charge_of(self._new_id(), None, node)) as charge_id:
            await super().add(replace(node, charge=charge_id), deed)

    async def add_all(self, nodes: Sequence[Node], deed: Deed | None) -> Sequence[Node]:
        charges = {node.node_id: charge_of(self._new_id(), None, node) for node in nodes}
        due = [charge for charge in charges.values() if charge]
        if due:
            await self._meter.reserve(due)
        charged = [replace(node, charge=c.charge_id) if (c := charges[node.node_id]) else node for node in nodes]
        added = await super().add_all(charged, deed)
        if due:
            await self._meter.settle(due, made=[c for node in added if (c := charges[node.node_id])])
        return added

    async def change(self, before: Node, after: Node, deed: Deed | None) -> None:
        charge = charge_of(self._new_id(), before, after)
        if charge and before.charge:
            await self._meter.book(before.space_id, before.entity_id, before.charge)
        async with self._booked(charge) as charge_id:
            await super().change(before, replace(after, charge=charge_id or before.charge), deed)

    async def remove(self, node: Node) -> bool:
        """Nobody can ask a node that is gone whether its last charge was made."""
        if node.charge:
            await self._meter.book(node.space_id, node.entity_id, node.charge)
        return await super().remove(node)

    @asynccontextmanager
    async def _booked(self, charge: Charge | None) -> AsyncGenerator[str, None]:
        """Sets bytes aside for the write inside, and books them when it was made.

        When it is open whether it was, after a `Transient`, the charge stays pending.
        """
        if charge is None:
            yield ""
            return
        await self._meter.reserve([charge])
        try:
            yield charge.charge_id
        except Conflict:
            await self._meter.settle([charge], made=[])
            raise
        self._meter.settle_soon(charge)


def _usage(document: Document) -> Usage:
    pending = tuple(known(Charge, charge) for charge in document["pending"])
    return Usage(document["used"], document["limit"], pending)


def _size(node: Document) -> int:
    return sum(version["size"] for version in node["versions"])


def _stored(charge: Charge) -> dict[str, Any]:
    return {
        "charge_id": charge.charge_id,
        "node_id": charge.node_id,
        "space_id": charge.space_id,
        "entity_id": charge.entity_id,
        "size": charge.size,
        "at": charge.at,
    }
