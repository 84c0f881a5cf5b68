"""How long is waited before a provider is called again."""

from datetime import timedelta
from typing import Final

_FIRST: Final = timedelta(seconds=1)
_LONGEST: Final = timedelta(minutes=10)


def pause(attempts: int, chance: float) -> timedelta:
    """After so many attempts: doubling, between half of it and all of it, so that not all come back at once.

    Args:
        attempts: that have failed, from 1.
        chance: from 0 to 1.
    """
    doubled = _FIRST * float(2 ** min(attempts - 1, 20))
    return min(_LONGEST, doubled) * (0.5 + chance / 2)
