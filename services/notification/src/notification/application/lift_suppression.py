"""Use case: an operator lets an address be written to again."""

from dataclasses import dataclass
from datetime import datetime

from rpc import Caller

from notification.application.ports import Suppressions
from notification.domain.vocabulary import Channel


@dataclass(frozen=True, slots=True)
class LiftSuppression:
    suppressions: Suppressions

    async def __call__(self, caller: Caller, channel: Channel, address: str, at: datetime) -> bool:
        """Whether it was suppressed."""
        return await self.suppressions.lift(self.suppressions.target(channel, address), caller, at)
