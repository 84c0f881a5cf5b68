"""The limit of dead letters that stops the line."""

from collections import deque


class Limit:
    """Too many of the last records became dead letters, so that no more may.

    Else a bad release would empty a stream into its dead letters. What may not become a dead letter waits in its
    lane, and a release that can handle it finds it there. (After `dlq.py` of getsentry/arroyo.)
    """

    def __init__(self, *, ratio: float = 0.1, least: int = 20, last: int = 1000) -> None:
        """It stops at this share of dead letters among the last records, but not before there are `least`."""
        self._ratio = ratio
        self._least = least
        self._last = last
        self._settled = 0
        self._dead: deque[int] = deque()

    @property
    def reached(self) -> bool:
        return len(self._dead) >= max(self._least, self._ratio * min(self._settled, self._last))

    def done(self, records: int) -> None:
        """Records were settled by their handler."""
        self._settled += records
        while self._dead and self._dead[0] <= self._settled - self._last:
            self._dead.popleft()

    def take(self) -> bool:
        """Whether a record may become a dead letter; it counts as one from here on."""
        if self.reached:
            return False
        self.done(1)
        self._dead.append(self._settled)
        return True

    def give_back(self) -> None:
        """The record did not become one after all."""
        if self._dead:
            self._dead.pop()
