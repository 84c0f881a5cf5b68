"""Watch: what changes in a space, as it changes, for programs that keep a copy.

A change is stamped when it is written, and may be seen a little later, by the clock of another
process at that. So each look goes back over the last minute, and what was told already is not told
again in one stream; a stream that goes on from a token tells the last minute twice.

Who may see a node changes without a write of it when somebody joins a group or leaves one. So when the
caller's groups are others than they were, all is told anew.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from errors import Invalid

from document.application.access import in_sight, open_node
from document.application.ports import Changes, Nodes
from document.application.purge import REMEMBERED
from document.domain.node import Node
from document.domain.permissions import Role, Subject, decide

LATE: Final = timedelta(seconds=60)
"""How long after its stamp a change is seen at the latest: longer than any write may take."""
BEGINNING: Final = datetime.fromtimestamp(0, UTC)
_BATCH: Final = 200
_LOOK_SECONDS: Final = 0.5
_FRESH: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Since:
    """Where a feed goes on; `groups` stands for those that its caller was in, None for whichever."""

    at: datetime = BEGINNING
    groups: bytes | None = None

    def check(self, now: datetime) -> None:
        """Raises `Invalid` RESUME_TOKEN_EXPIRED: what has gone since is no longer known."""
        if BEGINNING != self.at < now - REMEMBERED:
            raise Invalid(
                f"what has gone is known for {REMEMBERED.days} days: begin anew, and drop what is not told",
                reason="RESUME_TOKEN_EXPIRED",
            )


@dataclass(frozen=True, slots=True)
class Change:
    """A node as it is now; `gone`: it is out of the caller's sight, with all below it. Go on from `since`."""

    node: Node
    gone: bool
    since: Since


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """Everything up to now was told."""

    since: Since


@dataclass(frozen=True, slots=True)
class Watching:
    """Who watches, as the directory knows them at each look; `groups` stands for those that they are in."""

    subject: Callable[[], Subject]
    groups: Callable[[], bytes]
    now: Callable[[], datetime]


async def watch(
    nodes: Nodes, changes: Changes, watching: Watching, space_id: str, since: Since
) -> AsyncGenerator[Change | CaughtUp, None]:
    """Changes in the order of their stamps, each at least once, until the caller hangs up or may no longer look.

    A folder that comes into sight is told by itself: what lies in it is the caller's to list.
    """
    told, behind, fresh = dict[str, int](), True, watching.now()  # told: what the next look comes upon again
    since.check(fresh)
    at, groups = since.at, since.groups
    while True:
        subject, now = watching.subject(), watching.now()
        before, groups = groups, watching.groups()
        if before not in {None, groups}:
            at, told = BEGINNING, {}
        await open_node(nodes, subject, space_id)
        after, recent = None, dict[str, int]()
        while True:
            page = await changes.changed(space_id, at, after, _BATCH)
            for stamp, node in page.changed:
                if stamp >= now - LATE:
                    recent[node.node_id] = node.revision
                if told.get(node.node_id, 0) < node.revision:
                    seen = await _seen(nodes, subject, node)
                    if seen is not None:
                        behind = True
                        yield Change(node, not seen, Since(max(at, stamp - LATE), groups))
            after = page.after
            if after is None:
                break
        at, told = max(at, now - LATE), recent
        if behind or now - fresh > _FRESH:
            behind, fresh = False, now
            yield CaughtUp(Since(at, groups))
        await asyncio.sleep(_LOOK_SECONDS)


async def _seen(nodes: Nodes, subject: Subject, node: Node) -> bool | None:
    """Whether the caller sees the node; None when they see no folder either where it was, and are told nothing."""
    if in_sight(subject, await nodes.path(node.node_id)):
        return True
    for folder_id in (node.parent_id, *node.left):
        if decide(subject, await nodes.path(folder_id)).role is not Role.NONE:
            return False
    return None
