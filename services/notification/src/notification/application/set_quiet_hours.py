"""Use case: a person says when nothing may wake them, and where they live."""

from dataclasses import dataclass
from datetime import datetime

from rpc import Caller

from notification.application.ports import Preferences
from notification.domain.quiet import QuietHours, zone_of


@dataclass(frozen=True, slots=True)
class SetQuietHours:
    preferences: Preferences

    async def __call__(self, caller: Caller, hours: QuietHours | None, zone: str, at: datetime) -> None:
        """Keeps them, None: no quiet hours; raises Invalid for a zone that there is not."""
        await self.preferences.set_quiet(caller, hours, zone_of(zone).key, at)
