"""What is due of a shard that was held for moderators: lists go on, and what has waited too long is given up."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import telemetry

from mail_routing.application.apply_rules import ApplyRules, Treated
from mail_routing.application.deliver import as_treated, in_parts
from mail_routing.application.inform import Inform
from mail_routing.application.ports import Contents, Deliveries
from mail_routing.application.reading import Reading, what_is_left
from mail_routing.domain import delivery, moderation
from mail_routing.domain.delivery import MODERATED_FOR, SHARD_RECIPIENTS, Delivery, Onward, Plan, Progress, Shard, State
from mail_routing.domain.destinations import Resolved
from mail_routing.domain.message import Message
from mail_routing.domain.route import Destination, Kind, Route, Sender

_MOST_SHARDS = 1000
_Key = tuple[Kind, str]


@dataclass(slots=True)
class _Had:
    """Who has the mail already, and the last number of its shards."""

    keys: set[_Key]
    number: int = 0


class AfterModeration:
    """Gives the shard as it is then, and the mails of ours that are due; None: what waits is to be attempted.

    All lists of one mail wait in one shard, so that whoever has claimed it sees who has the mail already, and each
    recipient of several lists has it once. The shards that a list goes on in count once they stand in the list's own,
    and are released after that: of two that were made, because a process died, one is delivered.
    """

    def __init__(
        self,
        the_route: Route,
        apply_rules: ApplyRules,
        contents: Contents,
        deliveries: Deliveries,
        inform: Inform,
        *,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        moderated_for: timedelta = MODERATED_FOR,
    ) -> None:
        self._route = the_route
        self._apply_rules = apply_rules
        self._contents = contents
        self._deliveries = deliveries
        self._inform = inform
        self._now = now
        self._new_id = new_id
        self._moderated_for = moderated_for

    async def __call__(self, shard: Shard) -> tuple[Progress, Sequence[Message]] | None:
        for onward in shard.onward:
            await self._deliveries.release(onward.message_class, onward.ids, self._now())
            telemetry.points.reached("mail.moderation.released")
        lists = [each for each in shard.waiting if each.destination.kind is Kind.LIST and each.attempts]
        if lists:
            return await self._go_on(shard, lists)
        if shard.waiting:
            return None
        progress = moderation.expired(shard, self._now())
        content = await what_is_left(self._contents, shard.message) if progress.changed else b""
        return progress, await self._inform(progress, content)

    async def _go_on(self, shard: Shard, lists: Sequence[Delivery]) -> tuple[Progress, Sequence[Message]]:
        """The lists as they are now, and their mail to those who have not had it; lists nested in them wait in turn."""
        message = await self._contents.kept_outside(shard.message)
        had = await self._had(shard)
        nested: dict[str, Destination] = {}
        treated = await self._apply_rules(
            message, self._resolved(message, lists, nested), Reading(self._contents, message)
        )
        ids: list[str] = []
        count, plan_id = 0, self._new_id()
        for treatment, deliveries in in_parts(_new(treated, had)):
            if not ids and len(deliveries) == SHARD_RECIPIENTS:  # the full parts come first
                message = delivery.as_plan(message)
            had.number += 1
            part = Shard(
                as_treated(message, treatment),
                had.number,
                deliveries,
                None,
                plan=Plan(plan_id, had.number + 1),
                traceparent=shard.traceparent,
                treatment=treatment,
                since=self._now(),
            )
            await self._deliveries.plan(part)
            telemetry.points.reached("mail.moderation.planned")
            ids.append(part.id)
            count += len(deliveries)
        telemetry.names.MAIL_RECIPIENTS.bind(lane=message.message_class.value).inc(count)
        progress = self._gone_on(shard, lists, count, nested)
        if ids:
            onward = (*shard.onward, Onward(message.message_class, tuple(ids)))
            progress = replace(progress, shard=replace(progress.shard, onward=onward, due=self._now()))
        return progress, await self._inform(progress, b"")

    def _gone_on(self, shard: Shard, lists: Sequence[Delivery], count: int, nested: dict[str, Destination]) -> Progress:
        now = self._now()
        known = {each.destination.target for each in shard.deliveries}
        said = shard.treatment.kept_back
        begun = tuple(
            delivery.pending_until(Delivery(to, State.PENDING, "4.7.1", said, 1, now), now + self._moderated_for)
            for to in nested.values()
            if to.target not in known
        )
        progress = moderation.gone_on(replace(shard, deliveries=(*shard.deliveries, *begun)), lists, count, now)
        return replace(progress, changed=(*progress.changed, *begun))

    def _resolved(
        self, message: Message, lists: Sequence[Delivery], nested: dict[str, Destination]
    ) -> Iterator[Destination]:
        sender = Sender(message.sender, message.origin.trusted, reports=not message.sender)
        for each in lists:
            found = Resolved(self._route, replace(sender, approved=each.destination.target), ())
            yield from found.of_list(each.destination)
            nested |= found.waiting

    async def _had(self, shard: Shard) -> _Had:
        """Shards of an expansion that came to nothing, since whoever made it died, do not count."""
        had = _Had(set())
        gone_on = {one for onward in shard.onward for one in onward.ids}
        plan_id = shard.plan.id if shard.plan else ""
        async for other in self._deliveries.trace(message_id=shard.message.message_id, limit=_MOST_SHARDS):
            if other.plan is None or other.plan.id == plan_id or other.id in gone_on:
                had.keys.update(_key(each.destination) for each in other.deliveries)
                had.number = max(had.number, other.number)
        return had


def _key(to: Destination) -> _Key:
    return to.kind, to.person_id or to.address


def _new(treated: Iterator[Treated], had: _Had) -> Iterator[Treated]:
    for treatment, to in treated:
        if _key(to) not in had.keys:
            had.keys.add(_key(to))
            yield treatment, to
