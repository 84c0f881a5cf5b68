"""Use case: a person looks at what reaches them how."""

from collections.abc import Mapping
from dataclasses import dataclass

from rpc import Caller

from notification.application.ports import Preferences
from notification.domain.decision import RULES, Rule
from notification.domain.quiet import Digest, QuietHours
from notification.domain.vocabulary import Channel, Topic


@dataclass(frozen=True, slots=True)
class ListPreferences:
    preferences: Preferences

    async def __call__(self, caller: Caller) -> dict[tuple[Topic, Channel], bool]:
        """What holds for every topic and channel."""
        chosen = await self.preferences.all_of(caller.subject)
        defaults = {
            (topic, channel): rule in {Rule.FORCED, Rule.ON}
            for topic, rules in RULES.items()
            for channel, rule in rules.items()
        }
        return {**defaults, **chosen}

    async def rhythm(self, caller: Caller) -> tuple[QuietHours | None, str, Mapping[Topic, Digest]]:
        """Quiet hours, zone, and how often about which topic."""
        return await self.preferences.rhythm(caller.subject)
