"""What time it is, and what is done because it passes."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import telemetry
from errors import RossioError
from telemetry.background import end, keep

log = telemetry.logger(__name__)

Work = Callable[[datetime], Awaitable[int | None]]
"""Is told the time; what it returns is how many things it did, where anybody wants to know."""


def now() -> datetime:
    """The time in UTC, in whole milliseconds as the store keeps it: what is answered is what is read later."""
    time = datetime.now(UTC)
    return time.replace(microsecond=time.microsecond // 1000 * 1000)


class Chore:
    """Something that is done from time to time, whoever calls or not; what fails is tried again at its next time.

    So is what breaks off by a bug, which is logged as one: calls are served without it.
    """

    def __init__(self, name: str, every_seconds: float, work: Work, *, first: bool = False) -> None:
        """`first`: the start returns when it is done once, and fails as it does."""
        self._name = name
        self._every_seconds = every_seconds
        self._work = work
        self._first = first
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        if self._first:
            await self._work(now())
        self._task = keep(self._name, self._keep_doing(self._every_seconds if self._first else 0))

    async def stop(self) -> None:
        await end(self._task)

    async def _keep_doing(self, wait: float) -> None:
        while True:
            await asyncio.sleep(wait)
            wait = self._every_seconds
            try:
                count = await self._work(now())
            except RossioError as error:
                log.warning("a chore could not be done", chore=self._name, reason=error.reason)
            except Exception:
                log.exception("a chore broke off, which is a bug", chore=self._name)
            else:
                if count:
                    log.info("a chore is done", chore=self._name, count=count)
