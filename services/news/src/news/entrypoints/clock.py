"""What is done because time passes."""

import asyncio
from datetime import UTC, datetime

import telemetry
from errors import Transient

from news.application.refresh_feed import RefreshFeed

_log = telemetry.logger(__name__)


def now() -> datetime:
    """The time in UTC, in milliseconds, as the store keeps it."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


class FeedClock:
    """Refreshes the feed once before the process is ready, then each second."""

    def __init__(self, refresh: RefreshFeed, *, seconds: float = 1.0) -> None:
        self._refresh = refresh
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._refresh(now())
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self._refresh(now())
            except Transient as error:
                _log.warning("feed is not refreshed", reason=error.reason)
