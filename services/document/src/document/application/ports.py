"""What the use cases need from outside."""

from collections.abc import AsyncIterable, AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from document.domain.deeds import Deed, Move
from document.domain.key_acts import KeyAct, Receipt, Rotated
from document.domain.links import Link
from document.domain.node import Act, Node
from document.domain.permissions import Grantee, Subject
from document.domain.quota import Charge, Usage
from document.domain.uploading import Uploading

Position = tuple[str, str]
"""Where a list goes on: a sort value, and the id of the node that had it."""


Stamped = tuple[datetime, str]
"""Where a list of changes goes on: a stamp, and the id of the node that had it."""


@dataclass(frozen=True, slots=True)
class NodePage:
    """Some nodes in order; `after` continues behind the last one and is None at the end."""

    nodes: Sequence[Node]
    after: Position | None


class Nodes(Protocol):
    """The nodes of all spaces. Each write is atomic and carries the facts about the deed."""

    async def path(self, node_id: str) -> tuple[Node, ...]:
        """The node and those above it, the top folder of its space first; empty when it is not there."""
        ...

    async def named(self, parent_id: str, folded: str) -> Node | None:
        """The node of that folded name in a folder, whose older versions may be left out."""
        ...

    async def children(self, parent_id: str, after: Position | None, limit: int) -> NodePage:
        """What lies in a folder, by folded name, older versions left out."""
        ...

    async def trash(self, space_id: str, after: Position | None, limit: int) -> NodePage:
        """What was put into the trash of a space, by id, older versions left out."""
        ...

    async def height(self, node_id: str) -> int:
        """How many levels of folders lie below a node."""
        ...

    async def granted(self, grantees: Sequence[Grantee], after: Position | None, limit: int) -> NodePage:
        """The nodes with a grant for one of these, by space."""
        ...

    async def referenced(self, blobs: Sequence[str]) -> Collection[str]:
        """Which of these contents any version of any file refers to."""
        ...

    async def add(self, node: Node, deed: Deed) -> None:
        """A new node; `Conflict` ALREADY_EXISTS when its id or its name in the folder is taken."""
        ...

    async def add_all(self, nodes: Sequence[Node], deed: Deed | None) -> Sequence[Node]:
        """New nodes, each by itself; those that were added: what is there already is left as it is."""
        ...

    async def purged(self, act_id: str, node_id: str) -> bool:
        """Whether this act purged the node, of which something is left yet."""
        ...

    async def discarded(self, purged: datetime, begun: datetime, limit: int) -> Sequence[Node]:
        """Nodes that were purged before one time, and copies begun before another that are not whole."""
        ...

    async def swept(self, before: datetime, limit: int) -> Sequence[Node]:
        """What is left of nodes that were swept before this time."""
        ...

    async def inside(self, folder: Node, but: Sequence[str], limit: int) -> Sequence[Node]:
        """What has the folder for its parent, in the trash or not, but for these; older versions left out."""
        ...

    async def whole(self, node_id: str) -> Node | None:
        """The node with all its versions, whether anybody may see it or not."""
        ...

    async def remove(self, node: Node) -> bool:
        """Removes a node for good, unless it has facts that are not published; whether it is gone."""
        ...

    async def check_room(self, node: Node, size: int) -> None:
        """Raises `Exhausted` QUOTA when the node's space or entity has no room now for so many bytes more.

        So do the writes, for what they add.
        """
        ...

    async def change(self, before: Node, after: Node, deed: Deed | None) -> None:
        """Another state of a node; `Conflict` STALE when it is no longer the one before.

        `Conflict` ALREADY_EXISTS when its new name is taken.
        """
        ...


class Moves(Protocol):
    """The folder that is under way in each space: one at a time, so that no two can swallow each other."""

    async def begin(self, space_id: str, move: Move) -> Move:
        """Writes it down unless another one is; the one that is written down now."""
        ...

    async def end(self, space_id: str, move: Move) -> None:
        """Strikes it out, if it is still there."""
        ...


class Usages(Protocol):
    """What spaces and entities hold; a holder is `quota.space(id)` or `quota.entity(id)`."""

    async def of(self, holder: str) -> Usage: ...

    async def limit(self, holder: str, limit: int, entity_id: str, act: Act) -> None:
        """Sets how much it may hold, in bytes."""
        ...

    async def reserve(self, holder: str, charges: Sequence[Charge]) -> bool:
        """Sets the bytes of all these charges aside, or of none; whether there was room."""
        ...

    async def settle(self, holder: str, charges: Sequence[Charge], made: Sequence[Charge]) -> None:
        """Books some of the charges that were set aside together, and drops the others; once."""
        ...

    async def was_made(self, charge: Charge) -> bool:
        """Whether the node was written with this charge."""
        ...

    async def held(self, entity_id: str) -> Mapping[str, int]:
        """What all nodes of an entity hold by what is stored of them, by holder: its spaces and itself."""
        ...

    async def held_by(self, holder: str) -> int:
        """The same of one holder."""
        ...

    async def revision(self, holder: str) -> tuple[Usage, int]:
        """What is counted, and a number that is another one after each write of it."""
        ...

    async def correct(self, holder: str, revision: int, before: int, held: int, entity_id: str, act: Act) -> bool:
        """Counts it as holding so much instead of what was counted before, unless it was written since."""
        ...


class Links(Protocol):
    """The links to files. Each write of one is atomic and carries the facts about the deed."""

    async def find(self, link_id: str) -> Link | None: ...

    async def of_node(self, node_id: str, after: Position | None, limit: int) -> tuple[Sequence[Link], Position | None]:
        """The links to a file, by id, those that no longer hold among them; and where the list goes on."""
        ...

    async def add(self, link: Link, node: Node, deed: Deed) -> None:
        """A new link; `Conflict` ALREADY_EXISTS when there is one of its id."""
        ...

    async def revoke(self, link: Link, node: Node, deed: Deed) -> None:
        """Takes a link back; `Conflict` STALE when it is no longer this one."""
        ...

    async def use(self, link: Link, node: Node, deed: Deed) -> None:
        """Counts a use; `Conflict` STALE when the link has ended, or counted this act, in the meantime."""
        ...

    async def guess(self, link_id: str, limit: int) -> bool:
        """Counts a password that is tried, before it is; whether there were fewer than `limit`."""
        ...

    async def guessed(self, link_id: str) -> None:
        """The last password was right."""
        ...

    async def ending(self, now: datetime, limit: int) -> Sequence[Link]:
        """Links whose makers are to be told, and were not yet."""
        ...

    async def told(self, link: Link, node: Node | None) -> None:
        """Tells the maker that the link to the node will end, if there is anything to tell.

        `Conflict` STALE when it is no longer this one.
        """
        ...


class Passwords(Protocol):
    """Hashes that take much memory, so that trying many passwords is dear (RFC 7914)."""

    async def hashed(self, password: str) -> bytes: ...

    async def match(self, password: str, password_hash: bytes) -> bool: ...


class Content(Protocol):
    """Content that is durable when `put` returns. A scope's content is encrypted with a key of its own."""

    async def derived_key(self, scope: str, purpose: str) -> bytes:
        """A key for what is derived from the scope's content; NotFound SHREDDED when it is gone with that."""
        ...

    async def put(self, scope: str, chunks: AsyncIterable[bytes]) -> "Kept":
        """Keeps the content; when the chunks break off nothing can be read."""
        ...

    async def begin(self, scope: str) -> str:
        """The id of a new draft: content that comes in several goes."""
        ...

    def resume(self, draft: str) -> AbstractAsyncContextManager["Incoming"]:
        """A draft, for this caller alone; what has come is held at the end.

        NotFound NO_SUCH_DRAFT, Conflict DRAFT_BUSY while somebody else writes it.
        """
        ...

    async def discard(self, draft: str) -> None:
        """Drops a draft, if it is there."""
        ...

    async def touch(self, ref: str) -> bool:
        """Keeps content from being collected for as long as if it were new; whether it is there."""
        ...

    def get(self, ref: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """A range of the content, in bytes; `length` None is to the end."""
        ...


class Kept(Protocol):
    """Where content lies, its length in bytes, and its SHA-256 in hexadecimal."""

    @property
    def ref(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def sha256(self) -> str: ...


class Incoming(Protocol):
    """A draft in the hands of one writer."""

    @property
    def size(self) -> int: ...

    async def write(self, piece: bytes) -> None: ...

    async def rewind(self) -> None:
        """Takes back what has come since it was resumed."""
        ...

    async def whole(self) -> Kept:
        """What it is, if nothing more comes."""
        ...

    async def keep(self) -> Kept:
        """Makes it readable and durable; nothing can be written any more."""
        ...


class Uploads(Protocol):
    """The uploads under way."""

    async def find(self, upload_id: str) -> Uploading | None: ...

    async def add(self, uploading: Uploading) -> bool:
        """False, and nothing is changed, when there is one of this id."""
        ...

    async def change(self, uploading: Uploading) -> None: ...

    async def remove(self, upload_id: str) -> None: ...

    async def expired(self, now: datetime, limit: int) -> Sequence[Uploading]: ...


@dataclass(frozen=True, slots=True)
class ChangedPage:
    """Nodes with the stamps of their last changes, in this order; `after` continues and is None at the end."""

    changed: Sequence[tuple[datetime, Node]]
    after: Stamped | None


class Changes(Protocol):
    """What changed in a space, by the stamps that the writes bear."""

    async def changed(self, space_id: str, since: datetime, after: Stamped | None, limit: int) -> ChangedPage:
        """The nodes whose last change bears this stamp or a later one, older versions left out."""
        ...


class Keys(Protocol):
    """The keys of the entities' content."""

    async def rotate(self, scope: str) -> int:
        """Another data key; how many contents were wrapped anew."""
        ...

    async def shred(self, scope: str) -> "Shredding":
        """Destroys the keys for good; may be repeated."""
        ...


class Shredding(Protocol):
    """The master keys, by their fingerprints; `final` when the retired one is destroyed."""

    @property
    def retired(self) -> str: ...
    @property
    def wrapping(self) -> str: ...
    @property
    def final(self) -> bool: ...


class KeyActs(Protocol):
    """What was done to keys, with the audit records about it, in one write."""

    async def rotated(self, act_id: str) -> Rotated | None: ...

    async def receipt(self, act_id: str) -> Receipt | None: ...

    async def add(self, key_act: KeyAct) -> Receipt:
        """Writes it down, signed; the receipt of the first one when there is one of this id."""
        ...


class Directory(Protocol):
    """Who works in the ministry, as far as this service knows."""

    def knows(self, grantee: Grantee) -> bool:
        """Whether there is such a person, group or entity; services and citizens are known to their issuer alone."""
        ...

    def subject_of(self, grantee: Grantee, entity_id: str = "") -> Subject:
        """Somebody as they would come in; the entity of a service is what the caller says it is.

        Raises:
            Invalid: there is no such person, or it is not one caller.
        """
        ...

    def groups_of(self, person_id: str) -> Sequence[str]:
        """The groups in which the person is, nested groups counted."""
        ...
