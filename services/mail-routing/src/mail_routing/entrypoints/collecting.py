"""The clock of what is done from time to time, whether mail comes or not."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import errors
import telemetry

from mail_routing.application.collect_contents import CollectContents

_log = telemetry.logger(__name__)


class Collecting:
    """Collects content every so many seconds; what fails is tried again at the next time."""

    def __init__(self, collect: CollectContents, now: Callable[[], datetime], *, every_seconds: float) -> None:
        self._collect = collect
        self._now = now
        self._every_seconds = every_seconds
        self._loop: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._loop = asyncio.create_task(self._run(), name="collection of content")

    async def stop(self) -> None:
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.wait([self._loop])

    async def _run(self) -> None:
        while True:
            try:
                if count := await self._collect(self._now()):
                    _log.info("content of ended mail collected", count=count)
            except errors.RossioError as trouble:
                _log.warning("content could not be collected", reason=trouble.reason)
            await asyncio.sleep(self._every_seconds)
