"""Use cases: moderators, and the mail administrators of the entity, see what waits for them, and decide."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import errors
import telemetry
from rpc import Caller

from mail_routing.application.inform import Inform
from mail_routing.application.ports import Contents, Deed, Moderators
from mail_routing.application.reading import what_is_left
from mail_routing.application.trace import ADMIN, Audit
from mail_routing.domain import moderation
from mail_routing.domain.delivery import Delivery, Progress, Shard, State
from mail_routing.domain.message import Message
from mail_routing.domain.moderation import Decision, Panel

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody has said of what waits under an id."""

    moderation_id: str
    decision: Decision
    reason: str


class Moderated(Protocol):
    """The shards that are held for moderators."""

    async def page(self, keys: Sequence[str], after: str, limit: int) -> tuple[Sequence[Shard], str]:
        """Those of which something waits, by any of the keys, behind the id `after`, without their content."""
        ...

    async def of_mail(self, message_id: str) -> Sequence[Shard]:
        """Those of the mail by their numbers, so that of two who decide the first is so for all of them."""
        ...

    async def decide(self, progress: Progress, ours: Sequence[Message], said: Said, entity_id: str, deed: Deed) -> None:
        """Record what was decided, with its audit for the entity; `Conflict` when somebody was faster."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is decided about at once, as far as one shard holds it."""

    moderation_id: str
    shard: Shard
    deliveries: Sequence[Delivery]

    @property
    def panel(self) -> Panel:
        return moderation.panel(self.shard, self.deliveries[0].destination)

    @property
    def pending(self) -> list[Delivery]:
        return [each for each in self.deliveries if each.state is State.PENDING]


@dataclass(frozen=True, slots=True)
class Docket:
    """What callers may see and decide: as moderators, by the directory as it is now, or as mail administrators."""

    mails: Moderated
    moderators: Moderators

    async def of(self, caller: Caller, moderation_id: str) -> list[Waiting]:
        """`NotFound` for what never waited, or for others."""
        message_id = moderation_id.partition(":")[0]
        known = [self._in(shard, shard.deliveries) for shard in await self.mails.of_mail(message_id)]
        wanted = [each for some in known for each in some if each.moderation_id == moderation_id]
        found = [each for each in wanted if self._may(caller, each.panel)]
        if not found:
            raise errors.NotFound("there is no such mail that waits for moderators")
        return found

    async def waiting(self, caller: Caller, after: str, limit: int) -> tuple[list[Waiting], str]:
        keys = self._keys(caller)
        if not keys:
            return [], ""
        shards, goes_on = await self.mails.page(keys, after, limit)
        found = (each for shard in shards for each in self._in(shard, shard.pending))
        return [each for each in found if self._may(caller, each.panel)], goes_on

    def _in(self, shard: Shard, deliveries: Sequence[Delivery]) -> list[Waiting]:
        return [Waiting(one, shard, some) for one, some in moderation.by_id(shard, deliveries).items()]

    def _keys(self, caller: Caller) -> list[str]:
        keys = [panel.keys[0] for panel in self.moderators.panels_of(caller.subject)]
        if caller.has(ADMIN):
            keys.append(moderation.entity_key(caller.entity_id))
            if caller.may_act_for(""):
                keys.append(moderation.entity_key(""))
        return keys

    def _may(self, caller: Caller, panel: Panel) -> bool:
        by_office = caller.has(ADMIN) and caller.may_act_for(panel.entity_id)
        return by_office or self.moderators.decides(caller.subject, panel)


@dataclass(frozen=True, slots=True)
class ListModerated:
    docket: Docket
    audit: Audit

    async def __call__(self, caller: Caller, after: str, limit: int) -> tuple[Sequence[Waiting], str]:
        found, goes_on = await self.docket.waiting(caller, after, limit)
        for message_id in dict.fromkeys(each.shard.message.message_id for each in found):
            await self.audit(caller, message_id)
        return found, goes_on


@dataclass(frozen=True, slots=True)
class GetModerated:
    docket: Docket
    contents: Contents
    audit: Audit

    async def __call__(self, caller: Caller, moderation_id: str) -> tuple[Waiting, bytes]:
        """`NotFound` once it waits no longer."""
        for found in await self.docket.of(caller, moderation_id):
            if found.pending:
                await self.audit(caller, found.shard.message.message_id)
                return found, await self.contents.read(found.shard.message)
        raise errors.NotFound("there is no such mail that waits for moderators")


@dataclass(frozen=True, slots=True)
class DecideModerated:
    """A repeat finds it decided so, and does nothing; so does the slower of two who decide the same."""

    docket: Docket
    contents: Contents
    inform: Inform

    async def __call__(self, caller: Caller, said: Said, *, at: datetime) -> None:
        """`Conflict` (DECIDED) when the contrary was decided, or it has waited too long."""
        for _ in range(_ATTEMPTS):
            found = await self.docket.of(caller, said.moderation_id)
            _must_agree(found, said.decision)
            try:
                for waiting in found:
                    await self._decide(caller, waiting, said, at)
            except errors.Conflict:
                continue  # somebody was faster: what is so now decides
            return
        raise errors.Conflict("the mail changes too fast; repeat the request", reason="BUSY")

    async def _decide(self, caller: Caller, waiting: Waiting, said: Said, at: datetime) -> None:
        pending = waiting.pending
        if not pending:
            return
        shard = waiting.shard
        progress = moderation.decided(shard, pending, said.decision, caller.subject, said.reason, at)
        content = await what_is_left(self.contents, shard.message) if progress.notices else b""
        ours = await self.inform(progress, content)
        telemetry.points.reached("mail.moderation.deciding")
        entity_id = waiting.panel.entity_id or caller.entity_id
        await self.docket.mails.decide(progress, ours, said, entity_id, Deed(caller, at))
        telemetry.points.reached("mail.moderation.decided")


def _must_agree(found: Sequence[Waiting], decision: Decision) -> None:
    """`Conflict` where some of it was decided otherwise, or none waits that nobody has decided."""
    decided = {moderation.decision_of(each) for waiting in found for each in waiting.deliveries} - {None}
    contrary = decided - {decision}
    if contrary or not (decided or any(waiting.pending for waiting in found)):
        raise errors.Conflict("it was decided otherwise, or has waited too long", reason="DECIDED")
