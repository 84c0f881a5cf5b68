"""Use case: a person says how often they want to hear of a topic by e-mail."""

from dataclasses import dataclass
from datetime import datetime

from errors import Invalid
from rpc import Caller

from notification.application.ports import Preferences
from notification.domain.decision import RULES, Rule
from notification.domain.quiet import Digest
from notification.domain.vocabulary import Channel, Topic


@dataclass(frozen=True, slots=True)
class SetDigest:
    preferences: Preferences

    async def __call__(self, caller: Caller, topic: Topic, digest: Digest, at: datetime) -> None:
        """Keeps it; raises Invalid for a topic that cannot wait."""
        if RULES[topic][Channel.EMAIL] in {Rule.FORCED, Rule.NEVER}:
            raise Invalid("e-mail about this does not wait", reason="PREFERENCE_FIXED", topic=topic)
        await self.preferences.set_digest(caller, topic, digest, at)
