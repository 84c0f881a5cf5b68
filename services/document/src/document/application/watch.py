"""Watch: what changes in a space, as it changes, for programs that keep a copy.

A change is stamped when it is written, and may be seen a little later, by the clock of another
process at that. So each look goes back over the last minute, and what was told already is not told
again in one stream; a stream that goes on from a token tells the last minute twice.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from document.application.access import open_node
from document.application.ports import Changes, Nodes
from document.domain.node import Node
from document.domain.permissions import Role, Subject, decide

LATE: Final = timedelta(seconds=60)
"""How long after its stamp a change is seen at the latest: longer than any write may take."""
_BATCH: Final = 200
_LOOK_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Change:
    """A node as it is now; `gone`: it is out of the caller's sight, with all below it. Go on from `since`."""

    node: Node
    gone: bool
    since: datetime


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """Everything up to now was told."""

    since: datetime


async def watch(
    nodes: Nodes, changes: Changes, subject: Subject, space_id: str, since: datetime
) -> AsyncGenerator[Change | CaughtUp, None]:
    """Changes in the order of their stamps, each at least once, until the caller hangs up or may no longer look.

    A folder that comes into sight is told by itself: what lies in it is the caller's to list.
    """
    told, behind = dict[str, int](), True
    while True:
        await open_node(nodes, subject, space_id)
        newest, after = since, None
        while True:
            page = await changes.changed(space_id, since, after, _BATCH)
            for stamp, node in page.changed:
                newest = max(newest, stamp)
                if told.get(node.node_id, 0) < node.revision:
                    told[node.node_id] = node.revision
                    seen = await _seen(nodes, subject, node)
                    if seen is not None:
                        behind = True
                        yield Change(node, not seen, max(since, stamp - LATE))
            after = page.after
            if after is None:
                break
        since = max(since, newest - LATE)
        if behind:
            behind = False
            yield CaughtUp(since)
        await asyncio.sleep(_LOOK_SECONDS)


async def _seen(nodes: Nodes, subject: Subject, node: Node) -> bool | None:
    """Whether the caller sees the node; None when they do not see its folder either, and are told nothing."""
    path = await nodes.path(node.node_id)
    if not path:
        return None
    if not any(above.trashed for above in path) and decide(subject, path).role is not Role.NONE:
        return True
    above = path[:-1]
    return False if above and decide(subject, above).role is not Role.NONE else None
