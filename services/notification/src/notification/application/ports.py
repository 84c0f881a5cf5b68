"""What the use cases ask of the outside."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from errors import Invalid, Transient
from rpc import Caller

from notification.domain.broadcast import Broadcast
from notification.domain.decision import Choice, Rule
from notification.domain.device import Device
from notification.domain.notification import Notification
from notification.domain.quiet import Digest, QuietHours
from notification.domain.template import Template
from notification.domain.texts import Message, Submission
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

    async def texted(self, reference: str) -> Notification | None:
        """The one whose SMS a message centre knows by this id."""
        ...

    def of_chunk(self, chunk: str) -> AsyncIterator[Notification]:
        """Those of a chunk of a bulk job, of all its rounds."""
        ...

    async def add(self, notifications: Sequence[Notification]) -> None:
        """Takes them in, those that are new; one whose key is there already is passed over."""
        ...

    async def take_in(self, notifications: Sequence[Notification]) -> None:
        """Takes in those of a chunk of a bulk job that are new, in one write, and sees to it that all of them go.

        When this has not returned, it has to be done again, with others of the same keys if need be: whoever calls
        keeps note of how far the job is. All are of one chunk and round.
        """
        ...

    async def request(self, notification: Notification, by: Caller) -> Notification:
        """Takes in one that somebody asked for, with an audit record, or returns the one that is there already.

        What is of the emergency lane is on its way when this returns, whatever else waits to be published.
        """
        ...

    def due(self, at: datetime) -> AsyncIterator[Notification]:
        """Those with a message whose time to wait is over."""
        ...

    def moved(self, caller_id: str, since: datetime) -> AsyncIterator[Notification]:
        """Those that the caller follows and whose status changed since then, in the order of the changes."""
        ...

    def followed(self, notification_ids: Collection[str]) -> AsyncIterator[Notification]:
        """Those of these that somebody follows."""
        ...

    async def change(
        self,
        notification_id: str,
        change: Callable[[Notification], Notification],
        known: Notification | None = None,
    ) -> Notification | None:
        """Applies a pure change to the state as it is, repeated when another writer was first.

        `known`: as it was a moment ago, which saves a look. None when there is no such notification.
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

    async def mark_read(self, item_ids: Collection[str], by: Caller, at: datetime) -> None:
        """Notes it, with the fact that it was read, of those that were not read yet."""
        ...

    async def read_since(self, person_id: str, since: datetime) -> set[str]:
        """Which of them the person has read since then."""
        ...


class BroadcastStore(Protocol):
    """What many are told at once, and who has read it."""

    async def add(self, broadcast: Broadcast) -> Broadcast:
        """Takes it in, or returns the one that is there with its key."""
        ...

    async def withdraw(self, tombstone: Broadcast, at: datetime) -> None:
        """Takes back the one with the tombstone's key; where there is none, the tombstone stands for it."""
        ...

    def about(self, subject_id: str) -> AsyncIterator[Broadcast]:
        """All about one thing, withdrawn ones among them."""
        ...

    async def is_withdrawn(self, key: str) -> bool:
        """Whether what has that key was taken back."""
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

    async def read_since(self, person_id: str, since: datetime) -> set[str]:
        """Those of them that were read since then."""
        ...

    async def mark_read(self, broadcasts: Iterable[Broadcast], by: Caller, at: datetime) -> None:
        """Notes what the caller did, and the fact of it; this, and nothing before it, is written per reader."""
        ...


class Preferences(Protocol):
    """What people have chosen."""

    async def of(self, person_ids: Collection[str], topic: Topic) -> Mapping[str, Choice]:
        """By person; people who have chosen nothing for the topic are left out."""
        ...

    async def all_of(self, person_id: str) -> Mapping[tuple[Topic, Channel], bool]: ...

    def asking_for(self, topic: Topic) -> AsyncIterator[str]:
        """The people who want the topic pushed to them on some channel."""
        ...

    async def set(self, caller: Caller, topic: Topic, channel: Channel, *, enabled: bool, at: datetime) -> None:
        """Keeps it, with an audit record."""
        ...

    async def rhythm(self, person_id: str) -> tuple[QuietHours | None, str, Mapping[Topic, Digest]]:
        """Quiet hours, zone, and how often about which topic."""
        ...

    async def set_quiet(self, caller: Caller, hours: QuietHours | None, zone: str, at: datetime) -> None: ...

    async def set_digest(self, caller: Caller, topic: Topic, digest: Digest, at: datetime) -> None: ...


@dataclass(frozen=True, slots=True)
class Letter:
    """A message to be sealed."""

    notification_id: str
    channel: Channel
    message: Message

    @property
    def name(self) -> str:
        return self.named(self.notification_id, self.channel)

    @staticmethod
    def named(notification_id: str, channel: Channel) -> str:
        return f"{notification_id}.{channel}"


class Vault(Protocol):
    """Messages that may not lie about in clear: each is encrypted under a key of its own, which goes with it."""

    def seal(self, letters: Sequence[Letter]) -> list[bytes]:
        """The encrypted messages with their wrapped keys, in their order."""
        ...

    async def open(self, channel: Channel, sealed: Mapping[str, bytes]) -> dict[str, Message]:
        """The messages by notification; those whose key is no more are left out."""
        ...


class Policies(Protocol):
    """What entities have set for their people."""

    async def of(self, entity_id: str, topic: Topic) -> Mapping[Channel, Rule]: ...

    async def all_of(self, entity_id: str) -> Mapping[tuple[Topic, Channel], Rule]: ...

    async def set(self, by: Caller, topic: Topic, channel: Channel, rule: Rule | None, at: datetime) -> None:
        """Keeps the rule for the caller's entity, with an audit record; None: the suite's own holds again."""
        ...


class Suppressions(Protocol):
    """Addresses that are not written to; none of them is kept in clear."""

    def target(self, channel: Channel, address: str) -> str:
        """A digest by which an address is known again, and which nobody without the key can try addresses on."""
        ...

    async def among(self, targets: Collection[str], topic: Topic) -> set[str]:
        """Those of the targets that take nothing about the topic."""
        ...

    async def add(self, target: str, topic: Topic | None, cause: str, at: datetime) -> None:
        """From now on the target takes nothing about the topic; None: about no topic."""
        ...

    async def lift(self, target: str, by: Caller, at: datetime) -> bool:
        """Forgets all about the target, with an audit record; whether there was something."""
        ...


class Devices(Protocol):
    """Where people, and senders who want to be called back, have asked to be reached."""

    async def channels_of(self, owners: Collection[str]) -> Mapping[str, set[Channel]]:
        """On which channels each has something; those with nothing are left out."""
        ...

    async def of(self, owner: str, channel: Channel | None = None) -> list[Device]: ...

    async def add(self, device: Device, by: Caller, at: datetime) -> Device:
        """Keeps it, with an audit record, or returns the one that is there under its id."""
        ...

    async def remove(self, owner: str, device_id: str) -> bool:
        """Whether the owner had it."""
        ...


class Templates(Protocol):
    """Versions of templates; none of them ever changes but in its state."""

    async def add(self, template: Template, by: Caller, request_key: str) -> Template:
        """Takes it in as the next version of its name; repeated under the same key it is the same version."""
        ...

    async def approve(self, template: Template, by: Caller, at: datetime) -> None: ...

    async def version(self, entity_id: str, name: str, version: int) -> Template | None: ...

    async def newest(self, entity_id: str, name: str, *, approved: bool) -> Template | None: ...

    async def page(self, entity_id: str, after: tuple[str, int] | None, limit: int) -> list[Template]:
        """By name and version, behind the one named."""
        ...


class NotTaken(Transient):
    """The provider has certainly not taken the message; another one may have it."""


class AddressGone(Invalid):
    """There is nobody at the address; it is not written to again."""


class Provider(Protocol):
    """Who carries messages of one channel."""

    @property
    def name(self) -> str: ...

    @property
    def idempotent(self) -> bool:
        """Whether it knows a key again: if not, a submission whose end nobody knows is never repeated."""
        ...

    @property
    def confirms(self) -> bool:
        """Whether to take a message over is to have delivered it, so that no receipt follows."""
        ...

    async def submit(self, message: Message, submission: Submission) -> str:
        """Hands a message over, once per key however often it is called, and returns its reference there.

        Raises:
            Invalid: the provider will never take it; AddressGone: since there is nobody.
            NotTaken: it has not taken it, and may later.
            Transient: it may have taken it and could not say so.
        """
        ...
