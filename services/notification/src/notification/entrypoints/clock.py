"""What is done because time passes."""

import asyncio
from datetime import UTC, datetime, timedelta

import telemetry
from errors import Transient

from notification.application.expire_messages import ExpireMessages

_log = telemetry.logger(__name__)


def now() -> datetime:
    """The time in UTC, in milliseconds, as the store keeps it."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


class Expiry:
    """Gives up what has waited too long, again and again."""

    def __init__(self, expire: ExpireMessages, *, every: timedelta) -> None:
        self._expire = expire
        self._every = every
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._expire(now())
            except Transient as error:
                _log.warning("expired messages wait", reason=error.reason)
            await asyncio.sleep(self._every.total_seconds())
