"""What is done because time passes."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import telemetry
from errors import Transient

_log = telemetry.logger(__name__)


def now() -> datetime:
    """The time in UTC, in milliseconds, as the store keeps it."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


class Regularly:
    """Does something again and again; what the store cannot take now is done the next time."""

    def __init__(self, do: Callable[[datetime], Awaitable[None]], *, every: timedelta) -> None:
        self._do = do
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
                await self._do(now())
            except Transient as error:
                _log.warning("what is due waits", reason=error.reason)
            await asyncio.sleep(self._every.total_seconds())
