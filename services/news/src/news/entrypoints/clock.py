"""What is done because time passes."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import telemetry
from errors import Transient

_log = telemetry.logger(__name__)


def now() -> datetime:
    """The time in UTC, in milliseconds, as the store keeps it."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


class Clock:
    """Does something once before the process is ready, then each second."""

    def __init__(self, name: str, do: Callable[[datetime], Awaitable[None]], *, seconds: float = 1.0) -> None:
        self._name = name
        self._do = do
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._do(now())
        self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self._do(now())
            except Transient as error:
                _log.warning("the clock waits", clock=self._name, reason=error.reason)
