"""Who is to be reached, and where."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from notification.domain.vocabulary import Channel


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody with addresses; nothing of those shows in a traceback or a log.

    `person_id` is the subject of an employee or citizen, in whose inbox or list things stand, or empty. The entity
    is an employee's.
    """

    person_id: str
    entity_id: str = ""
    locale: str = ""
    addresses: Mapping[Channel, str] = field(default_factory=dict, repr=False)

    @property
    def reachable(self) -> set[Channel]:
        own = {Channel.IN_APP} if self.person_id else set()
        return own | {channel for channel, address in self.addresses.items() if address}
