"""What every decision rests on, gathered for many people at once."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime

from notification.application.ports import Devices, Policies, Preferences, Suppressions
from notification.domain.decision import Choice, Circumstances, decide
from notification.domain.notification import Dispatch
from notification.domain.recipient import Recipient
from notification.domain.vocabulary import Channel, Topic

_NOTHING_CHOSEN = Choice()


@dataclass(frozen=True, slots=True)
class Wish:
    """What a sender asks for; the fields are those of `Circumstances`."""

    offered: AbstractSet[Channel] | None = None
    order: Sequence[Channel] = ()
    not_before: datetime | None = None
    limited_until: datetime | None = None
    broadcast: bool = False


@dataclass(frozen=True, slots=True)
class Deciding:
    preferences: Preferences
    policies: Policies
    suppressions: Suppressions
    devices: Devices

    async def __call__(
        self, topic: Topic, people: Sequence[Recipient], at: datetime, wish: Wish | None = None
    ) -> list[tuple[Dispatch, ...]]:
        """What follows for each of them, channel by channel."""
        wish = wish or Wish()
        people = await self._with_devices(people)
        choices = await self.preferences.of([each.person_id for each in people if each.person_id], topic)
        policies = {each: await self.policies.of(each, topic) for each in {each.entity_id for each in people}}
        targets = [
            {channel: self.suppressions.target(channel, address) for channel, address in each.addresses.items()}
            for each in people
        ]
        known = {target for each in targets for target in each.values()}
        suppressed = await self.suppressions.among(known, topic)
        decided = []
        for person, targeted in zip(people, targets, strict=True):
            circumstances = Circumstances(
                reachable=person.reachable,
                offered=wish.offered,
                policy=policies[person.entity_id],
                suppressed={channel for channel, target in targeted.items() if target in suppressed},
                order=wish.order,
                not_before=wish.not_before,
                limited_until=wish.limited_until,
                broadcast=wish.broadcast,
            )
            decisions = decide(topic, choices.get(person.person_id, _NOTHING_CHOSEN), circumstances, at)
            decided.append(tuple(Dispatch.of(each, at, targeted.get(each.channel, "")) for each in decisions))
        return decided

    async def _with_devices(self, people: Sequence[Recipient]) -> list[Recipient]:
        """Who has registered something on a channel is reached there under their own name."""
        found = await self.devices.channels_of([each.person_id for each in people if each.person_id])
        return [
            replace(each, addresses={**each.addresses, **dict.fromkeys(found[each.person_id], each.person_id)})
            if each.person_id in found
            else each
            for each in people
        ]
