"""Content by reference: put once, read whole or in part, encrypted wherever it lies."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from blobs.keyring import Shredding

Referenced = Callable[[Sequence[str]], Awaitable[Collection[str]]]
"""Which of these refs are referred to."""


@dataclass(frozen=True, slots=True)
class Blob:
    """Stored content: `size` in bytes, `sha256` of the content in hexadecimal.

    `ref` is `<scope>:<keyed hash>`: equal content of a scope has one ref, which tells nothing to who
    does not have the scope's key.
    """

    ref: str
    size: int
    sha256: str


class Incoming(Protocol):
    """Content on its way in, in the hands of one writer."""

    @property
    def size(self) -> int:
        """How many bytes have come; the next ones follow there."""
        ...

    async def write(self, piece: bytes) -> None: ...

    async def hold(self) -> None:
        """Makes what has come durable, so that an upload can go on there."""
        ...

    async def rewind(self) -> None:
        """Takes back what has come since it was opened."""
        ...

    def whole(self) -> Blob:
        """What it is, if nothing more comes."""
        ...

    async def keep(self) -> Blob:
        """Makes it readable; nothing can be written any more."""
        ...


class Blobs(Protocol):
    """Content storage. A scope, such as an entity, has keys of its own.

    Everything is NotFound SHREDDED in a scope whose keys were destroyed.
    """

    async def put(self, scope: str, chunks: AsyncIterable[bytes]) -> Blob:
        """Stores content, given in pieces of any size; it is durable when this returns.

        When the pieces or the store break off, nothing can be read and nothing is kept.
        """
        ...

    async def begin(self, scope: str) -> str:
        """The id of a new draft: content that comes in several goes."""
        ...

    def resume(self, draft: str) -> AbstractAsyncContextManager[Incoming]:
        """A draft, to be written further; what has come is held at the end.

        NotFound NO_SUCH_DRAFT, Conflict DRAFT_BUSY while somebody else writes it.
        """
        ...

    async def discard(self, draft: str) -> None:
        """Drops a draft, if it is there."""
        ...

    def get(self, ref: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """A range of the content, by default all; `length` None, or beyond the end, means to the end.

        NotFound NO_SUCH_CONTENT, Invalid RANGE when it starts behind the end, and `Damaged` as soon as
        a part is not what was put.
        """
        ...

    async def stat(self, ref: str) -> Blob:
        """What lies there; NotFound NO_SUCH_CONTENT."""
        ...

    async def exists(self, ref: str) -> bool: ...

    async def touch(self, ref: str) -> bool:
        """Has it kept anew, as a put of the same content would; whether it is there.

        For whoever is about to refer to content that may no longer be referred to.
        """
        ...

    async def delete(self, ref: str) -> bool:
        """Whether there was one. Who else holds the ref is the caller's to know."""
        ...

    async def collect(self, referenced: Referenced, before: datetime) -> int:
        """Removes what is not referred to and was last kept before this time; how many.

        Whoever keeps content refers to it within `now - before`, or not at all: then nothing that is
        referred to can go, however this meets puts of the same content.
        """
        ...

    async def rotate(self, scope: str) -> int:
        """Has another data key, and wraps the keys of all contents with it; how many contents.

        No content is written. The old data key goes with a later `finish_rotations`.
        """
        ...

    async def finish_rotations(self, before: datetime) -> int:
        """Ends rotations begun before this time: wraps what was left, and destroys old data keys; how many scopes.

        No draft may still be open that was begun before.
        """
        ...

    async def derived_key(self, scope: str, purpose: str) -> bytes:
        """32 bytes for sealing what is derived from the scope's content, such as an index of it.

        The same as long as the scope has keys, and gone with them: NotFound SHREDDED, within five seconds here.
        """
        ...

    async def shred(self, scope: str) -> Shredding:
        """Destroys the keys of a scope for good, so that neither what lies here nor a backup can be read."""
        ...

    async def prepare(self) -> None:
        """Sets up what the first put needs; may be called again."""
        ...

    async def sweep(self, before: datetime) -> int:
        """Removes drafts that nobody has held since; what processes that died in a put left is among them."""
        ...
