"""Use case: an operator looks at what the providers carry, and why."""

from collections.abc import Mapping
from dataclasses import dataclass

from notification.application.steer_providers import Logged, ProviderLog

_DEFAULT = 50
_MOST = 500


@dataclass(frozen=True, slots=True)
class ListProviderSteps:
    channel: str
    log: ProviderLog

    async def __call__(self, limit: int) -> tuple[Mapping[str, int], list[tuple[Logged, bool]]]:
        """The shares, and the last steps with whether each replays from what was logged with it."""
        shares = await self.log.shares(self.channel)
        steps = await self.log.steps(self.channel, min(max(limit, 0) or _DEFAULT, _MOST))
        return (shares.of if shares else {}), [(each, each.replays()) for each in steps]
