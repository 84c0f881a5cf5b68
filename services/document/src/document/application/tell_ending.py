"""Who made a link is told before it ends."""

from dataclasses import dataclass
from datetime import datetime

from errors import Conflict

from document.application.ports import Links, Nodes

_BATCH = 100


@dataclass(frozen=True, slots=True)
class TellEnding:
    """The use case; it is done by as many processes as like, and each maker is told once."""

    nodes: Nodes
    links: Links

    async def __call__(self, now: datetime) -> int:
        """How many links were looked at."""
        ending = await self.links.ending(now, _BATCH)
        for link in ending:
            path = await self.nodes.path(link.node_id)
            gone = not path or any(node.trashed for node in path) or link.revoked or link.expires_at <= now
            try:
                await self.links.told(link, None if gone else path[-1])
            except Conflict as conflict:
                if conflict.reason != "STALE":
                    raise
        return len(ending)
