"""Content by reference: put once, read whole or in part, encrypted wherever it lies."""

import os
import re
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

import telemetry
from errors import Invalid, NotFound, Transient

from blobs.keyring import KEY_BYTES, Keyring, Random
from blobs.sealing import CHUNK, Damaged, Header, Intake, Sealer

_SCOPE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_NAME: Final = re.compile(r"[0-9a-f]{64}")
_WRITE_CHUNKS: Final = 4

_stored = telemetry.names.BLOB_BYTES.bind(direction="in")
_read = telemetry.names.BLOB_BYTES.bind(direction="out")
_met = telemetry.names.BLOB_MET.bind()


@dataclass(frozen=True, slots=True)
class Blob:
    """Stored content: `size` in bytes, `sha256` of the content in hexadecimal.

    `ref` is `<scope>:<keyed hash>`: equal content of a scope has one ref, which tells nothing to who
    does not have the scope's key.
    """

    ref: str
    size: int
    sha256: str


class Blobs(Protocol):
    """Content storage. A scope, such as an entity, has keys of its own."""

    async def put(self, scope: str, chunks: AsyncIterable[bytes]) -> Blob:
        """Stores content, given in pieces of any size; it is durable when this returns.

        When the pieces or the store break off, nothing can be read and nothing is kept.
        """
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

    async def delete(self, ref: str) -> bool:
        """Whether there was one. Who else holds the ref is the caller's to know."""
        ...

    async def prepare(self) -> None:
        """Sets up what the first put needs; may be called again."""
        ...

    async def sweep(self, before: datetime) -> int:
        """Removes what processes that died in the middle of a put, begun before this time, left behind."""
        ...


class Draft(Protocol):
    """Content on its way in, which nobody can read."""

    async def write(self, sealed: Sequence[bytes]) -> None:
        """Takes the next chunks."""
        ...

    async def keep(self, name: str, header: bytes) -> bool:
        """Makes it readable and durable; False, and the draft is gone, when the name is there already."""
        ...

    async def drop(self) -> None: ...


class Shelf(Protocol):
    """A place for sealed content, by scope and name."""

    async def prepare(self) -> None: ...
    async def begin(self, scope: str) -> Draft: ...
    async def header(self, scope: str, name: str) -> bytes | None: ...

    def read(self, scope: str, name: str, first: int, count: int) -> AsyncGenerator[bytes, None]:
        """Chunks in order; fewer than `count` when it was cut or has gone."""
        ...

    async def delete(self, scope: str, name: str) -> bool: ...
    async def sweep(self, before: datetime) -> int: ...


class SealedBlobs:
    """`Blobs` on any shelf."""

    def __init__(self, shelf: Shelf, keyring: Keyring, *, random: Random = os.urandom) -> None:
        self._shelf = shelf
        self._keyring = keyring
        self._random = random

    async def put(self, scope: str, chunks: AsyncIterable[bytes]) -> Blob:
        if not _SCOPE.fullmatch(scope):
            raise Invalid("A scope is 1 to 64 of a-z, 0-9, dot, underscore and hyphen.", reason="SCOPE")
        with telemetry.observe("blobs.put") as span:
            intake = Intake(scope, await self._keyring.keys(scope), self._random(KEY_BYTES))
            draft = await self._shelf.begin(scope)
            try:
                await _take(intake, chunks, draft)
            except BaseException:
                with suppress(Transient):  # the sweep does it else
                    await draft.drop()
                raise
            telemetry.points.reached("blobs.put.written")
            header = intake.header()
            if await draft.keep(intake.name, header.packed()):
                _stored.inc(header.size)
            else:
                _met.inc()
            telemetry.points.reached("blobs.put.kept")
            span.set(telemetry.semconv.SIZE, header.size)
        return _blob(scope, intake.name, header)

    async def get(self, ref: str, offset: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        scope, name, header, sealer = await self._open(ref)
        if offset < 0 or offset > header.size or (length is not None and length < 0):
            raise Invalid(f"The content has {header.size} bytes.", reason="RANGE")
        end = header.size if length is None else min(offset + length, header.size)
        if offset == end:
            return
        index = offset // CHUNK
        stop = -(-end // CHUNK)
        async with aclosing(self._shelf.read(scope, name, index, stop - index)) as found:
            async for sealed in found:
                content = sealer.open(index, sealed, last=index == header.chunks - 1)
                at = index * CHUNK
                part = content[max(offset - at, 0) : end - at]
                _read.inc(len(part))
                yield part
                index += 1
        if index != stop:
            raise Damaged("The stored content ends too early.")

    async def stat(self, ref: str) -> Blob:
        scope, name, header, _ = await self._open(ref)
        return _blob(scope, name, header)

    async def exists(self, ref: str) -> bool:
        try:
            await self._open(ref)
        except NotFound:
            return False
        return True

    async def delete(self, ref: str) -> bool:
        try:
            return await self._shelf.delete(*_parts(ref))
        except NotFound:
            return False

    async def prepare(self) -> None:
        await self._shelf.prepare()

    async def sweep(self, before: datetime) -> int:
        return await self._shelf.sweep(before)

    async def _open(self, ref: str) -> tuple[str, str, Header, Sealer]:
        """The content's header, which is checked, and what opens its chunks."""
        scope, name = _parts(ref)
        packed = await self._shelf.header(scope, name)
        if packed is None:
            raise _no_such_content()
        header = Header.unpacked(packed)
        keys = await self._keyring.keys(scope)
        if header.key_version not in keys.data:
            raise Damaged("The stored content names a key that there never was.")
        sealer = Sealer(scope, keys.data[header.key_version], header.salt)
        sealer.check(name, header)
        return scope, name, header, sealer


async def _take(intake: Intake, chunks: AsyncIterable[bytes], draft: Draft) -> None:
    sealed: list[bytes] = []
    async for piece in chunks:
        sealed += intake.feed(piece)
        if len(sealed) >= _WRITE_CHUNKS:
            await draft.write(sealed)
            sealed = []
    await draft.write([*sealed, intake.finish()])


def _blob(scope: str, name: str, header: Header) -> Blob:
    return Blob(f"{scope}:{name}", header.size, header.sha256.hex())


def _parts(ref: str) -> tuple[str, str]:
    scope, _, name = ref.partition(":")
    if not (_SCOPE.fullmatch(scope) and _NAME.fullmatch(name)):
        raise _no_such_content()
    return scope, name


def _no_such_content() -> NotFound:
    return NotFound("There is no such content.", reason="NO_SUCH_CONTENT")
