"""How much a service, an entity and a recipient may be part of in a while."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from errors import Exhausted
from rpc import Caller

_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


class Limits(Protocol):
    """Counters that never pass their limits, however many processes count."""

    async def take(self, whose: str, limit: int, window: timedelta, at: datetime) -> datetime | None:
        """Counts one more; or, where that would be too many, says when there is room again."""
        ...


@dataclass(frozen=True, slots=True)
class Rates:
    """Most messages; 0: any number. What is over the recipient's waits, the others are refused."""

    service_a_minute: int = 3000
    entity_a_day: int = 0
    recipient_an_hour: int = 30


@dataclass(frozen=True, slots=True)
class Rating:
    limits: Limits
    rates: Rates

    async def admit(self, caller: Caller, at: datetime) -> None:
        """Raises Exhausted when the service or its entity has sent too much."""
        for whose, limit, window in (
            (f"service/{caller.subject}", self.rates.service_a_minute, _MINUTE),
            (f"entity/{caller.entity_id}", self.rates.entity_a_day, _DAY),
        ):
            if limit and await self.limits.take(whose, limit, window, at) is not None:
                raise Exhausted("too many messages in a while", reason="RATE_LIMITED")

    async def room_for(self, target: str, at: datetime) -> datetime | None:
        """When somebody may be written to again; None: now."""
        if not self.rates.recipient_an_hour or not target:
            return None
        return await self.limits.take(f"recipient/{target}", self.rates.recipient_an_hour, _HOUR, at)
