"""GetQuota and SetQuota: what a space and its entity hold, and may hold."""

from document.application.access import open_node
from document.application.meter import Meter
from document.application.ports import Nodes
from document.domain.permissions import Subject
from document.domain.quota import Usage, entity, space


async def get_quota(nodes: Nodes, meter: Meter, subject: Subject, space_id: str) -> tuple[Usage, Usage | None]:
    """That of the space, for whoever may see it, and that of its entity, for those who belong to it."""
    top = (await open_node(nodes, subject, space_id)).path[0]
    of_space = await meter.usage(space(top.space_id))
    if subject.entity_id != top.entity_id:
        return of_space, None
    return of_space, await meter.usage(entity(top.entity_id))


async def set_quota(meter: Meter, holder: str, limit: int) -> Usage:
    """A limit below what is held already takes nothing away, and lets nothing in."""
    await meter.usages.limit(holder, limit)
    return await meter.usage(holder)
