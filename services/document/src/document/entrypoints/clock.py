"""What is done because time passes."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import telemetry
from errors import Transient

from document.application.tell_ending import TellEnding

_log = telemetry.logger(__name__)


class LinkClock:
    """Tells of links that will end, again and again."""

    def __init__(self, tell: TellEnding, now: Callable[[], datetime], *, every: timedelta) -> None:
        self._tell = tell
        self._now = now
        self._every = every
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="link clock")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._tell(self._now())
            except Transient as error:
                _log.warning("makers of links are not told yet", reason=error.reason)
            await asyncio.sleep(self._every.total_seconds())
