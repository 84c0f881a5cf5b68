"""Loops that run as long as their owner does."""

import asyncio
from collections.abc import Coroutine

from telemetry import health
from telemetry.logs import logger

log = logger(__name__)


def keep(name: str, loop: Coroutine[None, None, None]) -> asyncio.Task[None]:
    """Starts a loop that only its owner ends.

    An exception out of it is a bug: it is logged, and the process is not ready from then on.
    """
    task = asyncio.create_task(loop, name=name)
    task.add_done_callback(_ended)
    return task


async def end(*tasks: asyncio.Task[None] | None) -> None:
    """Cancels the loops and waits until they are gone; None is one that was never started."""
    started = [task for task in tasks if task is not None]
    for task in started:
        task.cancel()
    await asyncio.gather(*started, return_exceptions=True)


def _ended(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("a loop died", exc=error, loop=task.get_name())
        health.check(task.get_name(), lambda: "its loop died, which is a bug: restart the process")
