"""What a person may see of the broadcasts; the beginning of every use case of the inbox."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from directory_view import View
from rossio.directory.v1.directory_pb2 import Person
from rpc import Caller

from notification.application.people import asking
from notification.application.ports import BroadcastStore, Preferences
from notification.domain.broadcast import Broadcast, Broadcasts
from notification.domain.inbox import Item, shared
from notification.domain.vocabulary import Channel


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who looks into their inbox: what they do not want to see, and what they have read."""

    person: Person
    muted: frozenset[str]
    has_read: frozenset[str]

    def sees(self, broadcast: Broadcast) -> bool:
        return broadcast.topic not in self.muted

    def item(self, broadcast: Broadcast) -> Item:
        return shared(broadcast, self.person.locale, read=broadcast.broadcast_id in self.has_read)


@dataclass(frozen=True, slots=True)
class Broadcasted:
    """The broadcasts, for one reader after the other."""

    view: View
    live: Broadcasts
    store: BroadcastStore
    preferences: Preferences

    async def reader(self, caller: Caller) -> Reader:
        """Raises NotAllowed for somebody who does not work in the ministry."""
        person = asking(self.view, caller)
        chosen = await self.preferences.all_of(person.person_id)
        return Reader(
            person=person,
            muted=frozenset(topic for (topic, channel), on in chosen.items() if channel is Channel.IN_APP and not on),
            has_read=frozenset(await self.store.read_by(person.person_id)),
        )

    def before(self, reader: Reader, item_id: str, at: datetime) -> Iterator[Item]:
        """Newest first, below the id; an empty id: from the newest."""
        found = self.live.before(reader.person.number, item_id, at)
        return (reader.item(each) for each in found if reader.sees(each))

    def after(self, reader: Reader, item_id: str, at: datetime) -> Iterator[Item]:
        """Oldest first, above the id."""
        found = self.live.after(reader.person.number, item_id, at)
        return (reader.item(each) for each in found if reader.sees(each))

    def unread(self, reader: Reader, at: datetime) -> int:
        return sum(not item.read for item in self.before(reader, "", at))
