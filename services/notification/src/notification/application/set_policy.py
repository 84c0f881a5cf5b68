"""Use case: an entity forces, forbids or sets the default of a topic on a channel for its people."""

from dataclasses import dataclass
from datetime import datetime

from rpc import Caller

from notification.application.ports import Policies
from notification.domain.decision import Rule, may_be_preferred
from notification.domain.vocabulary import Channel, Topic


@dataclass(frozen=True, slots=True)
class SetPolicy:
    policies: Policies

    async def __call__(self, caller: Caller, topic: Topic, channel: Channel, rule: Rule | None, at: datetime) -> None:
        """Keeps it, None: the suite's own rule holds again; raises Invalid where the suite leaves no choice."""
        may_be_preferred(topic, channel)
        await self.policies.set(caller, topic, channel, rule, at)
