"""Group commit: what many ask for at once is done in one go, and each gets their own answer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Grouped(Generic[Item, Answer]):
    """Call it with an item; `work` is given the items of all who called meanwhile, at most `most` of them.

    At most `lanes` groups are worked on at a time; who comes later waits in the next group, so that groups
    grow with the load and a lone item waits for nobody. With `linger` a group stays open for so many seconds more,
    as long as the groups before it held several. An exception of `work` is everybody's in the group.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]],
        *,
        most: int = 500,
        lanes: int = 1,
        linger: float = 0.0,
    ) -> None:
        self._work = work
        self._linger = linger
        self._busy = False
        self._most = most
        self._lanes = asyncio.Semaphore(lanes)
        self._open: tuple[list[Item], asyncio.Task[Sequence[Answer]]] | None = None

    async def __call__(self, item: Item) -> Answer:
        if self._open is None:
            items: list[Item] = []
            self._open = items, asyncio.create_task(self._run(items))
        items, task = self._open
        index = len(items)
        items.append(item)
        if len(items) >= self._most:
            self._open = None
        # One who stops waiting does not stop the others.
        return (await asyncio.shield(task))[index]

    async def _run(self, items: list[Item]) -> Sequence[Answer]:
        async with self._lanes:
            if self._linger and self._busy:
                await asyncio.sleep(self._linger)
            self._busy = len(items) > 1
            if self._open is not None and self._open[0] is items:
                self._open = None
            return await self._work(items)
