"""Asks of many callers that go to the store together: group commit.

A write costs the sync of its journal, whether it changes one document or a hundred. So what is asked while the store
is busy waits for the end of that, and goes with all else that waits; what is asked while nothing is under way goes at
once. Nothing is held back for others to come.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

_MOST: Final = 100


Ask = TypeVar("Ask")
Answer = TypeVar("Answer")


class Grouping(Generic[Ask, Answer]):
    """`together` answers several asks in their order; an error of it is the error of each."""

    def __init__(self, together: Callable[[Sequence[Ask]], Awaitable[Sequence[Answer]]], *, most: int = _MOST) -> None:
        self._together = together
        self._most = most
        self._waiting: deque[tuple[Ask, asyncio.Future[Answer]]] = deque()
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, ask: Ask, *, first: bool = False) -> Answer:
        """The answer; `first`: before all that wait. Raises what `together` raises."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        (self._waiting.appendleft if first else self._waiting.append)((ask, answer))
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="group commit")
        return await answer

    async def _run(self) -> None:
        try:
            while self._waiting:
                group = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
                # Whoever does not wait any more may have been told that it did not work: it is not done.
                asked = [(ask, answer) for ask, answer in group if not answer.done()]
                if asked:
                    await self._answer(asked)
        finally:
            self._running = None

    async def _answer(self, asked: Sequence[tuple[Ask, asyncio.Future[Answer]]]) -> None:
        asks = [ask for ask, _ in asked]
        doing = asyncio.create_task(self._as_task(asks), name="group commit")
        await asyncio.wait({doing})
        error = doing.exception()
        for index, (_, answer) in enumerate(asked):
            if answer.done():
                continue
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(doing.result()[index])

    async def _as_task(self, asks: Sequence[Ask]) -> Sequence[Answer]:
        return await self._together(asks)
