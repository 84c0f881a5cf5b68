"""Take up what waits: deferred recipients whose time has come, and the shards of large mails."""

import asyncio
import functools
from collections.abc import Callable
from datetime import datetime, timedelta

import errors
import telemetry

from mail_routing.application.attempt import Attempt
from mail_routing.application.ports import Deliveries

_log = telemetry.logger(__name__)

# Whoever claims a shard has it alone for so long; an attempt is broken off before.
CLAIM = timedelta(minutes=10)
_ATTEMPT_SECONDS = 480.0


class Resume:
    """A loop that claims due shards and tries them; any number of them may run, in any pods."""

    def __init__(
        self,
        deliveries: Deliveries,
        attempt: Attempt,
        *,
        now: Callable[[], datetime],
        concurrency: int = 16,
        poll_seconds: float = 1.0,
    ) -> None:
        self._deliveries = deliveries
        self._attempt = attempt
        self._now = now
        self._concurrency = concurrency
        self._poll_seconds = poll_seconds
        self._in_hand: dict[str, asyncio.Task[None]] = {}
        self._loop: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Claim nothing more, and see what is in hand through."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop, *self._in_hand.values()])

    async def _run(self) -> None:
        while True:
            found = 0
            try:
                found = await self.round()
            except errors.Transient as trouble:
                _log.warning("deferred mail waits for the store", reason=trouble.reason)
            if not found:
                await asyncio.sleep(self._poll_seconds)

    async def round(self) -> int:
        """Begin with what is due and not in hand yet, and return how many shards those were."""
        due = await self._deliveries.due(self._now(), limit=4 * self._concurrency)
        new = [shard_id for shard_id in due if shard_id not in self._in_hand]
        for shard_id in new:
            while len(self._in_hand) >= self._concurrency:
                await asyncio.wait(self._in_hand.values(), return_when=asyncio.FIRST_COMPLETED)
            self._in_hand[shard_id] = task = asyncio.create_task(self._resume(shard_id))
            task.add_done_callback(functools.partial(self._ended, shard_id))
        return len(new)

    def _ended(self, shard_id: str, task: asyncio.Task[None]) -> None:
        del self._in_hand[shard_id]
        if not task.cancelled() and (trouble := task.exception()) is not None:
            # The claim runs out, and the shard is due again.
            _log.error("an attempt at deferred mail broke off", exc_info=trouble)

    async def _resume(self, shard_id: str) -> None:
        now = self._now()
        shard = await self._deliveries.claim(shard_id, now, now + CLAIM)
        if shard is None:
            return
        telemetry.points.reached("mail.resume.claimed")
        with telemetry.observe("mail.resume", links=[shard.traceparent]):
            if shard.plan is not None and shard.number == 0:
                await self._deliveries.release(shard, now)
                telemetry.points.reached("mail.resume.released")
            try:
                async with asyncio.timeout(_ATTEMPT_SECONDS):
                    progress, report = await self._attempt(shard)
            except errors.Invalid as lost:
                progress, report = await self._attempt.give_up(shard, str(lost))
            try:
                await self._deliveries.record(progress, report)
            except errors.Conflict:
                _log.warning("a claim ran out before its attempt was recorded", message_id=shard.message.message_id)
        telemetry.points.reached("mail.resume.recorded")
