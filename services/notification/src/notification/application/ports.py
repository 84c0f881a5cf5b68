"""What the use cases ask of the outside."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from rpc import Caller

from notification.domain.broadcast import Broadcast
from notification.domain.notification import Notification
from notification.domain.texts import Message
from notification.domain.vocabulary import Channel, Topic


class Notifications(Protocol):
    """What single people are told. Each write carries the facts that it makes true."""

    async def get(self, notification_id: str) -> Notification | None: ...

    async def named(self, key: str) -> Notification | None:
        """The one with this natural key."""
        ...

    async def mailed(self, reference: str) -> Notification | None:
        """The one whose e-mail mail-routing knows by this message id."""
        ...

    async def add(self, notifications: Sequence[Notification]) -> None:
        """Takes them in, those that are new; one whose key is there already is passed over."""
        ...

    async def request(self, notification: Notification, by: Caller) -> None:
        """Takes in one that somebody asked for, with an audit record; passed over when it is there already."""
        ...

    async def change(self, notification_id: str, change: Callable[[Notification], Notification]) -> Notification | None:
        """Applies a pure change to the state as it is, repeated when another writer was first.

        None when there is no such notification.
        """
        ...

    def expired(self, at: datetime) -> AsyncIterator[Notification]:
        """Those that are open although their time has passed."""
        ...


class Inbox(Protocol):
    """What a person finds in their inbox that was told to them alone."""

    async def before(self, person_id: str, item_id: str, limit: int, *, unread_only: bool) -> list[Notification]:
        """Newest first, below the id; an empty id: from the newest."""
        ...

    def after(self, person_id: str, item_id: str) -> AsyncIterator[Notification]:
        """Oldest first, above the id."""
        ...

    def these(self, item_ids: Collection[str]) -> AsyncIterator[Notification]:
        """Those with these ids that stand in an inbox, whosesoever."""
        ...

    async def of(self, person_id: str, item_ids: Collection[str]) -> set[str]:
        """Which of these are the person's."""
        ...

    async def unread(self, person_id: str, most: int) -> int:
        """How many the person has not read, counted up to `most`."""
        ...

    async def mark_read(self, item_ids: Collection[str]) -> None: ...


class BroadcastStore(Protocol):
    """What many are told at once, and who has read it."""

    async def add(self, broadcast: Broadcast) -> Broadcast:
        """Takes it in, or returns the one that is there with its key."""
        ...

    async def withdraw(self, tombstone: Broadcast, at: datetime) -> None:
        """Takes back the one with the tombstone's key; where there is none, the tombstone stands for it."""
        ...

    def live(self, at: datetime) -> AsyncIterator[Broadcast]:
        """All that are in inboxes."""
        ...

    def these(self, broadcast_ids: Collection[str]) -> AsyncIterator[Broadcast]:
        """Those with these ids, withdrawn ones among them."""
        ...

    async def read_by(self, person_id: str) -> set[str]:
        """The ids of those that the person has read."""
        ...

    async def mark_read(self, person_id: str, broadcasts: Iterable[Broadcast], at: datetime) -> None:
        """Notes what the person did; this, and nothing before it, is written per reader."""
        ...


class Preferences(Protocol):
    """What people have switched on or off."""

    async def of(self, person_ids: Collection[str], topic: Topic) -> Mapping[str, Mapping[Channel, bool]]:
        """By person and channel; people without a preference for the topic are left out."""
        ...

    async def all_of(self, person_id: str) -> Mapping[tuple[Topic, Channel], bool]: ...

    def asking_for(self, topic: Topic) -> AsyncIterator[str]:
        """The people who want the topic pushed to them on some channel."""
        ...

    async def set(self, caller: Caller, topic: Topic, channel: Channel, *, enabled: bool, at: datetime) -> None:
        """Keeps it, with an audit record."""
        ...


class Vault(Protocol):
    """Messages that may not lie about in clear: each is encrypted under a key of its own, kept apart."""

    async def seal(self, notification_id: str, channel: Channel, message: Message, until: datetime) -> bytes:
        """The encrypted message. Its key is kept until it is destroyed, or at the latest `until`."""
        ...

    async def open(self, notification_id: str, channel: Channel, sealed: bytes) -> Message | None:
        """The message; None when its key is no more."""
        ...

    async def destroy(self, notification_id: str, channel: Channel) -> None:
        """Destroys the key, and with it the message; no matter whether it is there."""
        ...


class Provider(Protocol):
    """Who carries messages of one channel."""

    @property
    def name(self) -> str: ...

    async def submit(self, message: Message, *, key: str, notification_id: str, topic: Topic) -> str:
        """Hands a message over, once per `key` however often it is called, and returns its reference there.

        Raises:
            Invalid: the provider will never take it.
            Transient: it may take it later, or has taken it and could not say so.
        """
        ...
