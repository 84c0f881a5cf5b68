"""Use cases: mail administrators look at what rules have kept back in their entity, and let it go or drop it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import errors
from rpc import Caller

from mail_routing.application.ports import Deed
from mail_routing.domain import quarantine
from mail_routing.domain.delivery import Progress, Shard


class Quarantine(Protocol):
    async def get(self, quarantine_id: str) -> Shard | None: ...
    async def page(self, entity_id: str, after: str, limit: int) -> tuple[Sequence[Shard], str]:
        """Those of an entity behind the id `after`, and where it goes on; "" at either end."""
        ...

    async def decide(self, progress: Progress, verb: str, deed: Deed) -> None:
        """Record what was decided; `Conflict` when somebody was faster."""


@dataclass(frozen=True, slots=True)
class ListQuarantine:
    mails: Quarantine
    audit: Callable[[Caller, str], Awaitable[None]]

    async def __call__(self, caller: Caller, after: str, limit: int) -> tuple[Sequence[Shard], str]:
        found, goes_on = await self.mails.page(caller.entity_id, after, limit)
        for message_id in dict.fromkeys(shard.message.message_id for shard in found):
            await self.audit(caller, message_id)
        return found, goes_on


@dataclass(frozen=True, slots=True)
class DecideQuarantined:
    """A repeat finds nothing kept back any more, and does nothing."""

    mails: Quarantine

    async def release(self, caller: Caller, quarantine_id: str, *, at: datetime) -> None:
        shard = await self._of(caller, quarantine_id)
        await self._decide(quarantine.released(shard, at), "release", Deed(caller, at))

    async def drop(self, caller: Caller, quarantine_id: str, *, at: datetime) -> None:
        shard = await self._of(caller, quarantine_id)
        await self._decide(quarantine.dropped(shard, at), "drop", Deed(caller, at))

    async def _of(self, caller: Caller, quarantine_id: str) -> Shard:
        """`NotFound` for what was never kept back, or belongs to another entity."""
        shard = await self.mails.get(quarantine_id)
        kept = shard is not None and shard.treatment.kept_back and not shard.treatment.held
        if shard is None or not kept or not caller.may_act_for(quarantine.owner(shard)):
            raise errors.NotFound("there is no such mail in quarantine")
        return shard

    async def _decide(self, progress: Progress, verb: str, deed: Deed) -> None:
        if progress.changed:
            await self.mails.decide(progress, verb, deed)
