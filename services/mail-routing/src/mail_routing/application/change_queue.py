"""Hold, release, retry or drop what waits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import errors
from rpc import Caller

from mail_routing.application.list_queue import scope_of
from mail_routing.application.ports import Act, Position, Queue
from mail_routing.domain import queue
from mail_routing.domain.delivery import Shard
from mail_routing.domain.queue import Filter, QueueAction

_PAGE = 500
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Changed:
    """How many entries were changed and how many not, and whether the filter may choose more."""

    changed: int
    unchanged: int
    more: bool = False


class ChangeQueue:
    """Each entry is one write with its audit: a repeat of the same request does what is left to do."""

    def __init__(self, entries: Queue, *, now: Callable[[], datetime]) -> None:
        self._entries = entries
        self._now = now

    async def __call__(
        self, caller: Caller, action: QueueAction, ids: Sequence[str], wanted: Filter, reason: str
    ) -> Changed:
        """Those with these ids, else those that the filter chooses, at most ten thousand in one call.

        `Invalid` (QUEUE_FILTER) when neither restricts. Ids that the caller may not see count as unchanged.
        """
        act = Act(caller.subject, caller.entity_id, action, reason, self._now())
        scope = scope_of(caller)
        if ids:
            found = await self._entries.entries(ids)
            changed = await self._act(act, [each for each in found if scope in {queue.EVERYTHING, queue.owner(each)}])
            return Changed(changed, len(ids) - changed)
        if not wanted.restricts:
            said = "the filter chooses everything: name a site, a sender, a class or what is held"
            raise errors.Invalid(said, reason="QUEUE_FILTER")
        return await self._all(act, scope, wanted)

    async def _all(self, act: Act, scope: str, wanted: Filter) -> Changed:
        after: Position | None = None
        seen = changed = 0
        while seen < _MOST:
            found, after = await self._entries.page(scope, wanted, after, _PAGE)
            seen += len(found)
            changed += await self._act(act, found)
            if after is None:
                break
        return Changed(changed, seen - changed, more=after is not None)

    async def _act(self, act: Act, shards: Sequence[Shard]) -> int:
        changes = [progress for shard in shards if (progress := queue.changed(shard, act.action, act.at))]
        return await self._entries.act(act, changes)
