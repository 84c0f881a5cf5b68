"""What the end of an attempt means for its record."""

import random
from dataclasses import dataclass
from enum import Enum

from errors import Invalid, Transient


class Verdict(Enum):
    WAIT = "wait"
    """A dependency is down: it waits in its lane, however long."""
    REPEAT = "repeat"
    """A bug, perhaps a passing one: a few attempts, then a dead letter."""
    REFUSE = "refuse"
    """It can never work: a dead letter."""


def verdict(error: BaseException) -> Verdict:
    match error:
        case Transient() | TimeoutError():
            return Verdict.WAIT
        case Invalid():
            return Verdict.REFUSE
        case _:
            return Verdict.REPEAT


@dataclass(frozen=True, slots=True)
class Patience:
    """How long what is tried and waited for; all times in seconds."""

    attempts: int = 3
    """Of what fails as a bug, before it is a dead letter."""
    attempt_seconds: float = 60.0
    """An attempt that takes longer is broken off and waits as for a dependency that is down."""
    first_wait: float = 0.1
    longest_wait: float = 10.0
    grace: float = 5.0
    """For the work in hand when partitions are revoked; twice this is less than the rebalance timeout."""
    drain: float = 15.0
    """For the work in hand at the stop."""
    commit_every: float = 0.2

    def wait(self, waited: int) -> float:
        """Seconds until the next attempt: doubling, with jitter, so that waiting lanes do not come back together."""
        longest = min(self.longest_wait, self.first_wait * 2 ** min(waited, 20))
        return longest * random.uniform(0.5, 1)  # noqa: S311 - jitter


class Limit:
    """Stops the line: when too many of the last records became dead letters, no more may.

    A bad release would else empty a topic into its dead letters. What may not become a dead letter waits
    in its lane; a release that can handle it, after a restart, finds it there. (After getsentry/arroyo's dlq.py.)
    """

    def __init__(self, *, ratio: float = 0.1, least: int = 50, last: int = 1000) -> None:
        """
        Args:
            ratio: The share of dead letters that stops the line.
            least: So many dead letters are always allowed.
            last: How many of the last settled records are looked at.
        """
        self._allowed = max(least, int(ratio * last))
        self._ring = bytearray(last)
        self._next = 0
        self._dead = 0

    @property
    def reached(self) -> bool:
        return self._dead >= self._allowed

    def count(self, *, dead: bool) -> None:
        """A record was settled."""
        self._dead += dead - self._ring[self._next]
        self._ring[self._next] = dead
        self._next = (self._next + 1) % len(self._ring)
