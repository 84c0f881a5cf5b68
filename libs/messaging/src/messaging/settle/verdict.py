"""What the end of an attempt means for its record."""

import random
from dataclasses import dataclass
from enum import Enum

from errors import Invalid, Transient


class Verdict(Enum):
    WAIT = "wait"
    """A dependency is down: the record waits in its lane, however long that takes."""
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
    """How long things are tried and waited for; all times in seconds."""

    attempts: int = 3
    """Of what fails as a bug, before it is a dead letter."""
    attempt: float = 60.0
    """An attempt that takes longer is broken off, and waits as if a dependency were down."""
    first_wait: float = 0.1
    longest_wait: float = 10.0
    grace: float = 5.0
    """For the work in hand when partitions are revoked; twice this has to be less than the rebalance timeout."""
    drain: float = 15.0
    """For the work in hand at the stop."""
    commit: float = 0.2
    """Between two commits."""

    def wait(self, waits: int) -> float:
        """Until the next attempt after so many waits: doubling, with jitter, so that lanes do not come back as one."""
        longest = min(self.longest_wait, self.first_wait * 2.0 ** min(waits, 20))
        return longest * random.uniform(0.5, 1)  # noqa: S311 - jitter
