"""What stands sealed in inboxes, opened for its reader."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from notification.application.ports import Vault
from notification.domain.notification import Notification
from notification.domain.vocabulary import Channel


@dataclass(frozen=True, slots=True)
class Unsealing:
    vault: Vault

    async def __call__(self, notifications: Iterable[Notification]) -> list[Notification]:
        """The same, with titles; what nobody can open any more is left out."""
        several = list(notifications)
        sealed = {
            each.notification_id: each.sealed[Channel.IN_APP] for each in several if Channel.IN_APP in each.sealed
        }
        if not sealed:
            return several
        opened = await self.vault.open(Channel.IN_APP, sealed)
        return [
            replace(each, titles={"": opened[each.notification_id].subject}) if each.notification_id in opened else each
            for each in several
            if each.notification_id in opened or each.notification_id not in sealed
        ]
