"""The providers of a channel: who carries which message, and how they did."""

import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from notification.application.ports import Provider
from notification.domain.failover import choose, resting

SLOW_SECONDS = 2.0
"""A provider that takes longer to say that it has a message is slow with it."""

Measure = Callable[[str, str, datetime], None]
"""Provider, what happened ("sent", "slow", "receipted" in time, or "errors"), and the minute for which it counts."""


class Pool:
    """At least one provider; the shares are read from `shares`, which somebody keeps up to date."""

    def __init__(self, providers: Sequence[Provider], measure: Measure = lambda _provider, _what, _at: None) -> None:
        self._providers = {each.name: each for each in providers}
        self._measure = measure
        self.shares: Mapping[str, int] = resting(sorted(self._providers))

    @property
    def names(self) -> list[str]:
        return sorted(self._providers)

    def pick(self, key: str, tried: AbstractSet[str]) -> Provider | None:
        """The provider for a message, beside those that have not taken it; None when all have not."""
        left = {name: self.shares.get(name, 0) for name in self._providers if name not in tried}
        return self._providers[choose(left, key)] if left else None

    def named(self, name: str) -> Provider | None:
        """The provider that may have a message; None when it is none of ours any more."""
        return self._providers.get(name)

    def measuring(self, provider: str) -> "Measuring":
        return Measuring(provider, self._measure)


class Measuring:
    """One call of a provider; say how it ended."""

    def __init__(self, provider: str, measure: Measure) -> None:
        self._provider = provider
        self._measure = measure
        self._begun = time.monotonic()

    def sent(self, at: datetime) -> None:
        self._measure(self._provider, "sent", at)
        if time.monotonic() - self._begun > SLOW_SECONDS:
            self._measure(self._provider, "slow", at)

    def failed(self, at: datetime) -> None:
        self._measure(self._provider, "errors", at)
