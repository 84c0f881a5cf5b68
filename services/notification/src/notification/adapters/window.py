"""The places in a window of a provider, of which each lane leaves some to those that are before it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from notification.domain.vocabulary import Lane

_BEFORE_OTHERS = (Lane.EMERGENCY, Lane.TRANSACTIONAL, Lane.BULK)


class Window:
    """An emergency finds a place even where everything else has all it may have.

    Bulk begins nothing while half of the places are taken, by whomever, and transactional messages leave an eighth.
    Where several wait, the lanes go in their order, and those of a lane in theirs.
    """

    def __init__(self, places: int) -> None:
        self._most = {
            Lane.EMERGENCY: places,
            Lane.TRANSACTIONAL: max(1, places - max(1, places // 8)),
            Lane.BULK: max(1, places // 2),
        }
        self._taken = 0
        self._waiting: dict[Lane, deque[asyncio.Future[None]]] = {lane: deque() for lane in _BEFORE_OTHERS}

    @asynccontextmanager
    async def place(self, lane: Lane) -> AsyncIterator[None]:
        """Holds a place; waits for one."""
        await self._take(lane)
        try:
            yield
        finally:
            self._taken -= 1
            self._let_in()

    async def _take(self, lane: Lane) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[lane].append(turn)
        self._let_in()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it was let in at the moment when it gave up
                self._taken -= 1
                self._let_in()
            raise

    def _let_in(self) -> None:
        for lane in _BEFORE_OTHERS:
            waiting = self._waiting[lane]
            while waiting and self._taken < self._most[lane]:
                turn = waiting.popleft()
                if not turn.done():
                    turn.set_result(None)
                    self._taken += 1
