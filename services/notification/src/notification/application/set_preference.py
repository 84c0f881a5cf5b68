"""Use case: a person switches a topic on a channel on or off."""

from dataclasses import dataclass
from datetime import datetime

from rpc import Caller

from notification.application.ports import Preferences
from notification.domain.decision import may_be_preferred
from notification.domain.vocabulary import Channel, Topic


@dataclass(frozen=True, slots=True)
class SetPreference:
    preferences: Preferences

    async def __call__(self, caller: Caller, topic: Topic, channel: Channel, *, enabled: bool, at: datetime) -> None:
        """Keeps the choice; raises Invalid where there is none."""
        may_be_preferred(topic, channel)
        await self.preferences.set(caller, topic, channel, enabled=enabled, at=at)
