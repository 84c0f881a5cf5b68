"""Group commit: what many ask for at once is done in one go, and each gets their own answer.

A commit costs the sync of a journal, whether of one change or of a hundred. So what is asked for while one is under way
waits for its end, and goes with all else that waits.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Grouped(Generic[Item, Answer]):
    """Call it with an item; `work` answers, in order, the items of all who called meanwhile, at most `most` of them.

    At most `lanes` groups are worked on at a time, so that groups grow with the load and a lone item waits for nobody.
    With `linger` a group stays open for so many seconds more, as long as the one before it held several. An exception
    of `work` is everybody's in the group.
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
        self._most = most
        self._idle = lanes
        self._linger = linger
        self._crowded = False
        self._waiting: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._lanes: set[asyncio.Task[None]] = set()

    async def __call__(self, item: Item, *, first: bool = False) -> Answer:
        """The answer to this item; `first`: before all that wait. One who stops waiting does not stop the others."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        (self._waiting.appendleft if first else self._waiting.append)((item, answer))
        if self._idle:
            self._idle -= 1
            lane = asyncio.create_task(self._run(), name="group commit")
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)
        return await answer

    async def _run(self) -> None:
        try:
            while self._waiting:
                if self._linger and self._crowded:
                    await asyncio.sleep(self._linger)
                group = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
                self._crowded = len(group) > 1
                # Who does not wait any more may have been told that it did not work: it is not done.
                await self._answer([(item, answer) for item, answer in group if not answer.done()])
        finally:
            self._idle += 1

    async def _answer(self, asked: Sequence[tuple[Item, asyncio.Future[Answer]]]) -> None:
        if not asked:
            return
        try:
            answers = await self._work([item for item, _ in asked])
            for (_, answer), said in zip(asked, answers, strict=True):
                if not answer.done():
                    answer.set_result(said)
        except asyncio.CancelledError:
            for _, answer in asked:
                answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - it is raised again, to each who asked
            for _, answer in asked:
                if not answer.done():
                    answer.set_exception(error)
