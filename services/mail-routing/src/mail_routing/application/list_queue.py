"""List what waits, for the administrators of the entity or of the ministry."""

from rpc import Caller

from mail_routing.application.ports import Position, Queue
from mail_routing.application.trace import Audit
from mail_routing.domain import queue
from mail_routing.domain.delivery import Shard
from mail_routing.domain.queue import Filter


def scope_of(caller: Caller) -> str:
    """The entity whose entries the caller sees; all, for those who act for the ministry."""
    return queue.EVERYTHING if caller.may_act_for("") else caller.entity_id


async def list_queue(
    entries: Queue, audit: Audit, caller: Caller, wanted: Filter, after: Position | None, limit: int
) -> tuple[list[Shard], Position | None]:
    """A page of entries, oldest first; each look is audited before it is answered."""
    await audit(caller, " ".join(queue.wanted_keys(scope_of(caller), wanted)))
    return await entries.page(scope_of(caller), wanted, after, limit)
