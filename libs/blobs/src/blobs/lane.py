"""Work that is done one after the other, a little behind whoever gives it."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

Work = Callable[[], Awaitable[None]]


class Lane:
    """Does what it is given in order; once something fails, all that comes after it fails the same way.

    Who waits here and is cancelled cancels nothing: a thread cannot be stopped.
    """

    def __init__(self) -> None:
        self._tasks = deque[asyncio.Task[None]]()
        self.failed = False

    def begin(self, work: Work) -> None:
        """Has it done after what was given before."""
        task = asyncio.create_task(self._after(self._tasks[-1] if self._tasks else None, work))
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    async def at_most(self, count: int) -> None:
        """Waits until only so many are left to do; what went wrong with the others is raised here."""
        while len(self._tasks) > count:
            await asyncio.shield(self._tasks[0])
            self._tasks.popleft()

    async def end(self) -> None:
        """Waits for all of it, whatever becomes of it."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _after(self, before: asyncio.Task[None] | None, work: Work) -> None:
        if before is not None:
            await before
        await work()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.failed = self.failed or task.cancelled() or task.exception() is not None
