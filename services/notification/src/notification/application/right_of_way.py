"""Bulk waits while messages of the other lanes begin late: they share the process, the store and the processors."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from notification.domain.vocabulary import Lane

_LATE: Final = timedelta(seconds=1)
# A while after the last late one; and the longest for which bulk stands still, so that it never does for good.
_CLEAR_AFTER: Final = 1.0
_LONGEST: Final = 20.0


class RightOfWay:
    """`monotonic` and `sleep` are in seconds. Clocks that differ by more than a second make bulk slow, not stand."""

    def __init__(
        self,
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._until = float("-inf")

    async def begin(self, lane: Lane, requested_at: datetime, now: datetime) -> None:
        """A message of the lane is about to be sent: now, or for bulk, when the others are not late any more."""
        if lane is not Lane.BULK:
            if now - requested_at > _LATE:
                self._until = self._monotonic() + _CLEAR_AFTER
            return
        given_up = self._monotonic() + _LONGEST
        while (at := self._monotonic()) < min(self._until, given_up):
            await self._sleep(min(self._until, given_up) - at)
