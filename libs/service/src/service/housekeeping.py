"""What has to be done from time to time, whoever calls or not."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import telemetry
from errors import RossioError

log = telemetry.logger(__name__)


@dataclass(frozen=True, slots=True)
class Chore:
    """Something that is done again after so many seconds, and says how many things it did."""

    name: str
    every_seconds: float
    work: Callable[[datetime], Awaitable[int]]


class Housekeeping:
    """Does each chore by itself; one that fails is tried again at its next time."""

    def __init__(self, chores: Sequence[Chore], now: Callable[[], datetime]) -> None:
        self._chores = chores
        self._now = now
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self._tasks = [asyncio.create_task(self._keep_doing(chore), name=chore.name) for chore in self._chores]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep_doing(self, chore: Chore) -> None:
        while True:
            try:
                count = await chore.work(self._now())
            except RossioError as error:
                log.warning("housekeeping could not be done", chore=chore.name, reason=error.reason)
            else:
                if count:
                    log.info("housekeeping done", chore=chore.name, count=count)
            await asyncio.sleep(chore.every_seconds)
