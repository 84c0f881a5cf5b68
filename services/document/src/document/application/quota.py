"""GetQuota and SetQuota: what a space and its entity hold, and may hold."""

from collections.abc import Callable

from errors import NotFound

from document.application.access import open_node
from document.application.meter import Meter
from document.application.ports import Nodes
from document.domain.node import Act
from document.domain.permissions import Subject
from document.domain.quota import UNLIMITED, Usage, entity, space


async def get_quota(nodes: Nodes, meter: Meter, subject: Subject, space_id: str) -> tuple[Usage, Usage | None]:
    """That of the space, for whoever may see it, and that of its entity, for those who belong to it."""
    top = (await open_node(nodes, subject, space_id)).path[0]
    of_space = await meter.usage(space(top.space_id))
    if subject.entity_id != top.entity_id:
        return of_space, None
    return of_space, await meter.usage(entity(top.entity_id))


async def set_space_quota(
    nodes: Nodes, meter: Meter, act: Act, space_id: str, limit: int, may_act_for: Callable[[str], bool]
) -> Usage:
    """For the administrators of its entity, who need not see what is in it.

    Raises:
        NotFound: there is no such space, or it is none of theirs.
    """
    path = await nodes.path(space_id)
    if not path or not path[-1].is_top or not may_act_for(path[-1].entity_id):
        raise NotFound("there is no such space")
    return await _set(meter, space(space_id), limit, path[-1].entity_id, act)


async def set_entity_quota(meter: Meter, act: Act, entity_id: str, limit: int) -> Usage:
    return await _set(meter, entity(entity_id), limit, entity_id, act)


async def _set(meter: Meter, holder: str, limit: int, entity_id: str, act: Act) -> Usage:
    """A limit below what is held already takes nothing away, and lets nothing in; 0 is none."""
    await meter.usages.limit(holder, limit or UNLIMITED, entity_id, act)
    return await meter.usage(holder)
