"""Take up what waits: deferred recipients whose time has come, and the shards of large mails."""

import asyncio
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
        self._running: set[asyncio.Task[None]] = set()
        self._loop: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Claim nothing more, and see what is in hand through."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop, *self._running])

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
        """Try some of what is due, and return how many shards those were."""
        ids = await self._deliveries.due(self._now(), limit=4 * self._concurrency)
        for shard_id in ids:
            while len(self._running) >= self._concurrency:
                await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            task = asyncio.create_task(self._resume(shard_id))
            self._running.add(task)
            task.add_done_callback(self._ended)
        if self._running:
            await asyncio.wait(self._running)
        return len(ids)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (trouble := task.exception()) is not None:
            # The claim runs out, and the shard is due again.
            _log.error("an attempt at deferred mail broke off", exc_info=trouble)

    async def _resume(self, shard_id: str) -> None:
        now = self._now()
        shard = await self._deliveries.claim(shard_id, now, now + CLAIM)
        if shard is None:
            return
        telemetry.points.reached("mail.resume.claimed")
        with telemetry.observe("mail.resume"):
            if shard.plan is not None and shard.number == 0:
                await self._deliveries.release(shard, now)
                telemetry.points.reached("mail.resume.released")
            async with asyncio.timeout(_ATTEMPT_SECONDS):
                progress, report = await self._attempt(shard)
            try:
                await self._deliveries.record(progress, report)
            except errors.Conflict:
                _log.warning("a claim ran out before its attempt was recorded", message_id=shard.message.message_id)
        telemetry.points.reached("mail.resume.recorded")
