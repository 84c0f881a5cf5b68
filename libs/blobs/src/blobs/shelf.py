"""A place for sealed content. Local files, GridFS and S3 are shelves; `SealedBlobs` is what they share."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from blobs.sealing import Sealed


@dataclass(frozen=True, slots=True)
class Kept:
    """Content of a scope on a shelf; `kept_at` is when it was last kept or met again."""

    name: str
    kept_at: datetime


class Draft(Protocol):
    """Content on its way in, which nobody can read; one process at a time has it open.

    Chunks that were written stay as they are; the tail behind them is replaced by the next write.
    """

    id: str
    header: bytes

    def chunks(self) -> AsyncGenerator[Sealed, None]:
        """What was written, in order, and the tail at the end if there is one."""
        ...

    async def write(self, sealed: Iterable[Sealed]) -> None:
        """Takes the next chunks; Conflict DRAFT_BUSY when somebody else has written meanwhile.

        Chunks are sealed as they are asked for, which takes its time: for a thread.
        """
        ...

    async def hold(self, tail: Sealed) -> None:
        """Makes all that was written durable, with the tail behind it, at this time."""
        ...

    async def ends_with(self, tail: Sealed) -> bool:
        """Whether it is as a hold of this tail has left it."""
        ...

    async def rewind(self, count: int) -> None:
        """The next chunk to be written follows the first `count`; what is behind them counts no more."""
        ...

    async def keep(self, name: str, header: bytes) -> bool:
        """Makes it readable and durable. When the name is there already that is kept anew instead, the
        draft goes, and this is False.
        """
        ...

    async def drop(self) -> None: ...

    async def close(self) -> None:
        """Leaves it as it is, for somebody else to resume; nothing after keep and drop."""
        ...


class Shelf(Protocol):
    async def prepare(self) -> None: ...

    async def begin(self, scope: str, header: bytes) -> Draft: ...

    async def resume(self, scope: str, draft_id: str) -> Draft:
        """An earlier draft, for this caller alone until it is closed.

        NotFound NO_SUCH_DRAFT, Conflict DRAFT_BUSY when somebody else has it open.
        """
        ...

    async def header(self, scope: str, name: str) -> bytes | None: ...

    async def put_header(self, scope: str, name: str, before: bytes, after: bytes) -> None:
        """Replaces the header, unless it is not `before` any more."""
        ...

    def read(self, scope: str, name: str, first: int, count: int) -> AsyncGenerator[bytes, None]:
        """Chunks in order; fewer than `count` when it was cut or has gone."""
        ...

    async def touch(self, scope: str, name: str) -> bool:
        """Has it kept anew; whether it is there."""
        ...

    def names(self, scope: str) -> AsyncIterator[Kept]:
        """All content of a scope."""
        ...

    async def scopes(self) -> Sequence[str]: ...

    async def delete(self, scope: str, name: str, before: datetime | None = None) -> bool:
        """Whether there was one, which was last kept before this time; at once with all that keeps it anew."""
        ...

    async def sweep(self, before: datetime) -> int:
        """Removes drafts that nobody has held since."""
        ...
