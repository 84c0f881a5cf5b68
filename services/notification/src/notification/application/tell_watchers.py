"""Use case: what has happened in whichever process reaches this process's readers and watchers."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from notification.application.ports import BroadcastStore, Inbox, Notifications
from notification.application.watchers import Watchers
from notification.domain.broadcast import Broadcasts, is_broadcast
from notification.domain.inbox import Reads


@dataclass(frozen=True, slots=True)
class TellWatchers:
    inbox: Inbox
    broadcasts: BroadcastStore
    live: Broadcasts
    watchers: Watchers
    notifications: Notifications
    senders: Watchers

    async def load(self, at: datetime) -> None:
        """Takes all live broadcasts into memory."""
        async for broadcast in self.broadcasts.live(at):
            self.live.put(broadcast)

    async def __call__(self, item_ids: Collection[str]) -> None:
        """Brings the broadcasts among these items into memory, and tells those who watch."""
        shared = {item_id for item_id in item_ids if is_broadcast(item_id)}
        if shared:
            async for broadcast in self.broadcasts.these(shared):
                known = self.live.get(broadcast.broadcast_id)
                self.live.put(broadcast)
                if known is None and not broadcast.withdrawn:
                    self.watchers.tell_all(broadcast)
        personal = set(item_ids) - shared
        if personal and self.watchers:
            async for notification in self.inbox.these(personal):
                self.watchers.tell(notification.person_id, notification)

    def of_reads(self, reads: Mapping[str, Reads]) -> None:
        """Tells people, on all of their devices, what they have read on one of them."""
        for person_id, each in reads.items():
            self.watchers.tell(person_id, each)

    async def of_statuses(self, notification_ids: Collection[str]) -> None:
        """Tells the senders who watch what became of these."""
        if notification_ids and self.senders:
            async for notification in self.notifications.followed(notification_ids):
                self.senders.tell(notification.requested_by, notification)
