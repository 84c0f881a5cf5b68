"""Purge: takes what lies in the trash away for good; and the sweep, which removes what nobody sees any more."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from errors import Conflict
from telemetry import points

from document.application import effects
from document.application.access import Opened, permit
from document.application.ports import Nodes
from document.domain.deeds import Deed, Verb
from document.domain.node import Act, Kind, Node
from document.domain.permissions import Role
from document.domain.tree import purged, swept

_BATCH: Final = 200
_ARRIVES_WITHIN: Final = timedelta(days=1)
"""A copy that is not whole by then was given up."""
REMEMBERED: Final = timedelta(days=30)
"""How long it is known of what was purged that it was there, so that programs with a copy of it are told."""


async def purge(nodes: Nodes, act: Act, node_id: str) -> None:
    """For those who manage the node. From then on it is not there for anybody; the sweep does the rest.

    Raises:
        Conflict: NOT_TRASHED.
    """

    def purging(opened: Opened) -> tuple[Node, Deed]:
        after = purged(opened.node, act)
        permit(act.subject, [replace(node, trashed_at=None) for node in opened.path], Role.MANAGER)
        return after, Deed(Verb.PURGE, act)

    if not await nodes.purged(act.act_id, node_id):
        await effects.change(nodes, act, node_id, Role.READER, purging)


@dataclass(frozen=True, slots=True)
class Sweep:
    """Empties purged nodes and all below them, and copies that were never whole, and removes them in the end.

    What is purged rests for a while first, so that whoever was on the way to a node below has ended.
    A node is emptied by one write, which is booked; so a sweep may end anywhere, and the next goes on.
    """

    nodes: Nodes
    rests: timedelta

    async def __call__(self, now: datetime) -> int:
        """How many nodes were emptied of those that were to go, with all below them."""
        for node in await self.nodes.swept(now - REMEMBERED, _BATCH):
            await self.nodes.remove(node)
        roots = await self.nodes.discarded(now - self.rests, now - _ARRIVES_WITHIN, _BATCH)
        return sum([await self._empty(root, now) for root in roots])

    async def _empty(self, node: Node, now: datetime) -> bool:
        """Whether the node and all below it is emptied; what was just changed stays as it is."""
        stay = list[str]()
        while node.kind is Kind.FOLDER and (below := await self.nodes.inside(node, stay, _BATCH)):
            stay += [child.node_id for child in below if not await self._empty(child, now)]
        if stay:
            return False
        return await self._empty_one(node.node_id, now)

    async def _empty_one(self, node_id: str, now: datetime) -> bool:
        node = await self.nodes.whole(node_id)
        if node is None or node.swept:
            return True
        try:
            await self.nodes.change(node, swept(node, now), None)
            points.reached("document.purge.emptied")
        except Conflict as conflict:
            if conflict.reason != "STALE":
                raise
            return False
        return True
