"""What the use cases ask of the world."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from rpc import Caller

from mail_routing.domain.app_password import AppPassword
from mail_routing.domain.delivery import Progress, Result, Shard
from mail_routing.domain.message import Message, MessageClass
from mail_routing.domain.moderation import Panel
from mail_routing.domain.queue import Filter, QueueAction
from mail_routing.domain.route import Destination, Directory
from mail_routing.domain.sending import Delegation


class People(Directory, Protocol):
    """The directory, as those who ask about people need it."""

    def addresses_of(self, person_id: str) -> tuple[str, ...]: ...
    def entity_of(self, person_id: str) -> str: ...
    def in_group(self, person_id: str, group_id: str) -> bool: ...


class Moderators(Protocol):
    """The directory, as those who ask for and take decisions about mail need it."""

    def decides(self, person_id: str, panel: Panel) -> bool:
        """Whether the person is of the panel; administrators may decide beside it."""
        ...

    def panels_of(self, person_id: str) -> Iterable[Panel]:
        """All that the person may be of, without the entities."""
        ...

    def addresses_of_panel(self, panel: Panel) -> Sequence[str]:
        """The addresses of those who are to decide: the panel, else the entity's mail administrators."""
        ...


@dataclass(frozen=True, slots=True)
class Deed:
    """Who did it and when, for the audit record that goes into the same write."""

    by: Caller
    at: datetime


class AppPasswords(Protocol):
    """The app passwords of all people."""

    async def get(self, password_id: str) -> AppPassword | None: ...
    async def put(self, password: AppPassword, verb: str, deed: Deed) -> None:
        """Record it in the place of what was known under its id; `verb` names what was done to it."""

    async def page(self, person_id: str, after: str, limit: int) -> tuple[Sequence[AppPassword], str]:
        """Those of a person behind the id `after`, and the id behind which it goes on; "" at either end."""
        ...


class Delegations(Protocol):
    """Who may send in whose name."""

    async def of(self, owner: str) -> Sequence[Delegation]: ...
    async def put(self, delegation: Delegation, deed: Deed) -> None: ...
    async def remove(self, delegation: Delegation, deed: Deed) -> None:
        """Nothing when it is not there."""


class AcceptedLog(Protocol):
    """The durable log of accepted mail."""

    async def append(self, message: Message) -> None:
        """Return when the mail is replicated; `Transient` leaves open whether it is in."""


class Contents(Protocol):
    """The places where mail content lies."""

    async def kept_outside(self, message: Message) -> Message:
        """The message with its content in the blob store; as it is when it lies there already."""
        ...

    async def read(self, message: Message) -> bytes: ...


class OldContents(Protocol):
    """The content in the blob store, as who tidies it up sees it."""

    async def collect(self, needed: Callable[[Sequence[str]], Awaitable[Collection[str]]], before: datetime) -> int:
        """Remove what was put before this time and is not needed, by its refs; returns how many."""
        ...


class ContentUsers(Protocol):
    """What the recorded shards say of content in the blob store."""

    async def waiting_for(self, refs: Sequence[str]) -> set[str]:
        """Those of which a recipient still waits, or which are kept back for somebody to decide."""
        ...

    async def unrecorded(self, refs: Sequence[str]) -> set[str]:
        """Those of whose mail nothing stands recorded (yet)."""
        ...


@dataclass(frozen=True, slots=True)
class MailboxMail:
    """One mail for one mailbox; the same name in the same mailbox is the same mail, and stored once."""

    mailbox: str
    name: str
    content: bytes
    lane: MessageClass = MessageClass.NORMAL


class Mailboxes(Protocol):
    """Where the mail of our own people ends."""

    async def deliver(self, mail: MailboxMail) -> Result: ...


class NextHop(Protocol):
    """Hands mail over to other servers."""

    def away(self, hop: str, lane: MessageClass) -> float:
        """For how many seconds more the hop is left alone by mails of that class; 0: it may be tried."""
        ...

    def urge(self, hop: str, lane: MessageClass) -> None:
        """Leave the hop alone no longer."""

    async def send(
        self, hop: str, message: Message, destinations: Sequence[Destination], content: bytes, *, patient: bool = False
    ) -> Mapping[Destination, Result]:
        """A result for each destination; trouble on the way is a deferral, never an exception.

        `patient`: the hop may take minutes to take the content, and to answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class Due:
    """A shard whose time has come, before it is claimed; no sites where nothing was tried yet."""

    id: str
    sites: tuple[str, ...]
    tried_from: datetime
    urged: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """Something that an administrator does to entries of the queue."""

    actor: str
    entity_id: str
    action: QueueAction
    reason: str
    at: datetime


Position = tuple[datetime, str]
"""When an entry's mail was accepted, and its id."""


class Queue(Protocol):
    """The shards that wait, as administrators see them; without their content."""

    async def page(
        self, scope: str, wanted: Filter, after: Position | None, limit: int
    ) -> tuple[list[Shard], Position | None]:
        """Entries in the order of their acceptance, and the position after which there are more."""
        ...

    async def entries(self, ids: Sequence[str]) -> list[Shard]: ...

    async def act(self, act: Act, changes: Sequence[Progress]) -> int:
        """Record what was done, with its audit; returns how many had not changed in the meantime."""
        ...


class Ended(Protocol):
    """The shards of which nothing may go on any more."""

    async def forget(self, before: datetime, limit: int) -> int:
        """Remove some that ended before then, at most `limit`, and return how many those were."""
        ...


class Deliveries(Protocol):
    """The store of shards. What is recorded is so together with the facts that follow from it."""

    async def seen(self, message_id: str) -> bool:
        """Whether the first shard of the mail is there."""
        ...

    async def begin(self, progress: Progress, ours: Sequence[Message] = ()) -> None:
        """Record a new shard after its first attempt, with mails of ours; one that is there already stays as it is.

        Either way what stands recorded is published when it returns.
        """

    async def report(self, message_id: str) -> None:
        """Publish again what stands recorded of the mail's first shard: whoever recorded it may have died then."""

    async def plan(self, shard: Shard) -> None:
        """Record a shard of which nothing was tried; one that is there already stays as it is."""

    async def release(self, lane: MessageClass, ids: Sequence[str], now: datetime) -> None:
        """Make shards of the class due of which nothing was tried yet."""

    async def due(self, lane: MessageClass, now: datetime, limit: int) -> list[Due]:
        """Shards of the class whose time has come."""
        ...

    async def postpone(self, lane: MessageClass, ids: Sequence[str], until: datetime, now: datetime) -> None:
        """Make these shards due at another time, those that were claimed since left as they are."""

    async def claim(self, lane: MessageClass, shard_id: str, now: datetime, until: datetime) -> Shard | None:
        """The shard, which is not due for others before `until`; None when another was faster."""
        ...

    async def record(self, progress: Progress, ours: Sequence[Message] = ()) -> None:
        """Record a claimed shard after an attempt; `Conflict` when somebody else has claimed it since."""

    def trace(
        self, *, message_id: str = "", all_of: Sequence[str] = (), any_of: Sequence[str] = (), limit: int
    ) -> AsyncIterator[Shard]:
        """Shards of a mail, or those in which all and any of the parties take part, newest first.

        With `any_of` empty any party will do.
        """
        ...
