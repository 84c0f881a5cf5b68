"""Take up what waits: deferred recipients whose time has come, the shards of large mails, what moderators had."""

import asyncio
import functools
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import errors
import telemetry

from mail_routing.application.after_moderation import AfterModeration
from mail_routing.application.attempt import Attempt
from mail_routing.application.ports import Deliveries, Due, NextHop
from mail_routing.domain import retry
from mail_routing.domain.message import MessageClass

_log = telemetry.logger(__name__)

# Whoever claims a shard has it alone for so long; an attempt is broken off before.
CLAIM = timedelta(minutes=10)
_ATTEMPT_SECONDS = 480.0
_LOOK = 2000
_BUSY = timedelta(seconds=5)
_SLOW_SECONDS = 1.0


class Round(NamedTuple):
    """How many shards a round took up, and how many it put off."""

    begun: int
    put_off: int


class Resume:
    """Loops, one for each class, that claim due shards and try them; any number may run, in any pods.

    What waits for sites that are away is put off in bulk and not claimed, and so is what waits for a slow one beyond
    its quarter of the attempts: what piles up for one site costs the others nothing.
    """

    def __init__(
        self,
        deliveries: Deliveries,
        attempt: Attempt,
        after_moderation: AfterModeration,
        next_hop: NextHop,
        *,
        now: Callable[[], datetime],
        jitter: Callable[[], float],
        concurrency: int = 16,
        poll_seconds: float = 1.0,
    ) -> None:
        self._deliveries = deliveries
        self._attempt = attempt
        self._after_moderation = after_moderation
        self._next_hop = next_hop
        self._now = now
        self._jitter = jitter
        self._poll_seconds = poll_seconds
        self._lanes = {lane: _Lane(concurrency) for lane in MessageClass}
        self._loops: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._loops = [asyncio.create_task(self._run(lane)) for lane in self._lanes]

    async def stop(self) -> None:
        """Claim nothing more, and see what is in hand through."""
        for loop in self._loops:
            loop.cancel()
        if self._loops:
            in_hand = [task for lane in self._lanes.values() for task in lane.tasks.values()]
            await asyncio.wait([*self._loops, *in_hand])

    async def _run(self, lane: MessageClass) -> None:
        while True:
            done = Round(0, 0)
            try:
                done = await self.round(lane)
            except errors.Transient as trouble:
                _log.warning("deferred mail waits for the store", reason=trouble.reason)
            if not done.begun:
                # A pile that is only put off is so without haste: the store has others to serve.
                await asyncio.sleep(self._poll_seconds * (2 if done.put_off else 1))

    async def round(self, lane: MessageClass) -> Round:
        """Begin with what is due and not in hand yet, or put it off."""
        hand, now, jitter = self._lanes[lane], self._now(), self._jitter()
        due = [each for each in await self._deliveries.due(lane, now, limit=_LOOK) if each.id not in hand.tasks]
        put_off: defaultdict[datetime, list[str]] = defaultdict(list)
        slow: set[str] = set()
        begun = 0
        for each in due:
            if later := self._later(lane, each, now, jitter):
                put_off[later].append(each.id)
            elif await hand.room(each, slow):
                hand.begin(each, asyncio.create_task(self._resume(lane, each)))
                begun += 1
            else:
                put_off[now + _BUSY * (1 + jitter)].append(each.id)
        for until, ids in put_off.items():
            await self._deliveries.postpone(lane, ids, until, now)
        return Round(begun, sum(map(len, put_off.values())))

    def _later(self, lane: MessageClass, due: Due, now: datetime, jitter: float) -> datetime | None:
        """When to look again at what waits for sites that are away; None for what is to be tried.

        The last attempt, at the end of the five days, is made in any case.
        """
        if due.urged:
            for site in due.sites:
                self._next_hop.urge(site, lane)
            return None
        if not due.sites or now >= due.tried_from + retry.GIVE_UP_AFTER:
            return None
        away = min(self._next_hop.away(site, lane) for site in due.sites)
        return retry.postponed(due.tried_from, now, away, jitter) if away else None

    async def _resume(self, lane: MessageClass, due: Due) -> None:
        now = self._now()
        shard = await self._deliveries.claim(lane, due.id, now, now + CLAIM)
        if shard is None:
            return
        telemetry.points.reached("mail.resume.claimed")
        with telemetry.observe("mail.resume", links=[shard.traceparent]):
            if shard.plan is not None and shard.number == 0:
                await self._deliveries.release(lane, shard.planned, now)
                telemetry.points.reached("mail.resume.released")
            try:
                async with asyncio.timeout(_ATTEMPT_SECONDS):
                    concluded = await self._after_moderation(shard) if shard.treatment.held else None
                    progress, ours = concluded or await self._attempt(shard)
            except errors.Invalid as lost:
                progress, ours = await self._attempt.give_up(shard, str(lost))
            try:
                await self._deliveries.record(progress, ours)
            except errors.Conflict:
                _log.warning("a claim ran out before its attempt was recorded", message_id=shard.message.message_id)
        telemetry.points.reached("mail.resume.recorded")


class _Lane:
    """The attempts of one class in hand."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._by_site: defaultdict[str, set[asyncio.Task[None]]] = defaultdict(set)
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def room(self, due: Due, slow: set[str]) -> bool:
        """Wait for room; False when one of its sites has its share and ends none in a second: then it is `slow`."""
        while len(self.tasks) >= self._concurrency:
            await asyncio.wait(self.tasks.values(), return_when=asyncio.FIRST_COMPLETED)
        for site in due.sites:
            while len(self._by_site.get(site, ())) >= max(1, self._concurrency // 4):
                if site in slow:
                    return False
                tasks = self._by_site[site]
                ended, _ = await asyncio.wait(tasks, timeout=_SLOW_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if not ended:
                    slow.add(site)
        return True

    def begin(self, due: Due, task: asyncio.Task[None]) -> None:
        self.tasks[due.id] = task
        for site in due.sites:
            self._by_site[site].add(task)
        task.add_done_callback(functools.partial(self._ended, due))

    def _ended(self, due: Due, task: asyncio.Task[None]) -> None:
        del self.tasks[due.id]
        for site in due.sites:
            self._by_site[site].discard(task)
            if not self._by_site[site]:
                del self._by_site[site]
        if not task.cancelled() and (trouble := task.exception()) is not None:
            # The claim runs out, and the shard is due again.
            _log.error("an attempt at deferred mail broke off", exc_info=trouble)
