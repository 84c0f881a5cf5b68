"""`Blobs` on any shelf: what is sealed, named and checked the same way wherever it lies."""

import asyncio
import os
import re
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import telemetry
from errors import Conflict, Invalid, NotFound, Transient

from blobs.content import Blob, Referenced
from blobs.keyring import Keyring, Shredding
from blobs.keys import Random, ScopeKeys
from blobs.lane import Lane
from blobs.sealing import CHUNK, Damaged, Header, Intake, Sealed, Sealer
from blobs.shelf import Draft, Shelf

_SCOPE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_NAME: Final = re.compile(r"[0-9a-f]{64}")
_DRAFT: Final = re.compile(r"[0-9a-f]{32}")
_BATCH: Final = 4 * CHUNK
"""Bytes that go to a thread at once: enough to be worth the way, and few enough to hold some of them."""
_AHEAD: Final = 2
_ASKED_AT_ONCE: Final = 200
_REMEMBERED_INTAKES: Final = 64

_stored = telemetry.names.BLOB_BYTES.bind(direction="in")
_read = telemetry.names.BLOB_BYTES.bind(direction="out")
_met = telemetry.names.BLOB_MET.bind()
_collected = telemetry.names.BLOB_COLLECTED.bind()


class SealedBlobs:
    """Content storage on a shelf."""

    def __init__(self, shelf: Shelf, keyring: Keyring, *, random: Random = os.urandom) -> None:
        self._shelf = shelf
        self._keyring = keyring
        self._random = random
        self._paused = OrderedDict[str, _Paused]()

    async def put(self, scope: str, chunks: AsyncIterable[bytes]) -> Blob:
        with telemetry.observe("blobs.put") as span:
            incoming = await self._begun(scope)
            try:
                async for piece in chunks:
                    await incoming.write(piece)
                blob = await incoming.keep()
            except BaseException:
                with suppress(Transient):  # the sweep does it else
                    await incoming.drop()
                raise
            span.set(telemetry.semconv.SIZE, blob.size)
            return blob

    async def begin(self, scope: str) -> str:
        incoming = await self._begun(scope)
        try:
            await incoming.hold()
        finally:
            await incoming.draft.close()
        return f"{scope}:{incoming.draft.id}"

    @asynccontextmanager
    async def resume(self, draft: str) -> AsyncIterator["Writing"]:
        scope, draft_id = _draft_parts(draft)
        opened = await self._shelf.resume(scope, draft_id)
        try:
            writing = await self._resumed(scope, opened)
            try:
                yield writing
            finally:
                if not writing.ended:
                    self._paused[draft_id] = await writing.pause()
                    while len(self._paused) > _REMEMBERED_INTAKES:
                        self._paused.popitem(last=False)
        finally:
            await opened.close()

    async def discard(self, draft: str) -> None:
        scope, draft_id = _draft_parts(draft)
        with suppress(NotFound):
            await (await self._shelf.resume(scope, draft_id)).drop()

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
                whole = at >= offset and at + len(content) <= end
                part = content if whole else content[max(offset - at, 0) : end - at]
                _read.inc(len(part))
                yield part
                index += 1
        if index != stop:
            raise Damaged("The stored content ends too early.")

    async def stat(self, ref: str) -> Blob:
        scope, name, header, _ = await self._open(ref)
        return Blob(f"{scope}:{name}", header.size, header.sha256.hex())

    async def exists(self, ref: str) -> bool:
        try:
            await self._open(ref)
        except NotFound:
            return False
        return True

    async def touch(self, ref: str) -> bool:
        return await self._shelf.touch(*_parts(ref))

    async def delete(self, ref: str) -> bool:
        try:
            return await self._shelf.delete(*_parts(ref))
        except NotFound:
            return False

    async def collect(self, referenced: Referenced, before: datetime) -> int:
        count = 0
        for scope in await self._shelf.scopes():
            old = list[str]()
            async for kept in self._shelf.names(scope):
                if kept.kept_at < before:
                    old.append(f"{scope}:{kept.name}")
                if len(old) == _ASKED_AT_ONCE:
                    count += await self._collect(old, referenced, before)
                    old.clear()
            count += await self._collect(old, referenced, before)
        return count

    async def rotate(self, scope: str) -> int:
        keys = await self._keyring.renew(scope)
        telemetry.points.reached("blobs.rotate.renewed")
        return await self._rewrap(scope, keys)

    async def finish_rotations(self, before: datetime) -> int:
        count = 0
        for scope in await self._shelf.scopes():
            try:
                keys = await self._keyring.keys(scope)
            except NotFound:
                continue
            if len(keys.data) > 1 and keys.data[keys.current].since < before:
                while await self._rewrap(scope, keys):
                    pass  # until none is found: a touch in between may have kept one as it was
                telemetry.points.reached("blobs.rotate.rewrapped")
                with suppress(Conflict):  # another rotation began: that one ends it
                    await self._keyring.drop_old(scope, keys)
                    count += 1
        return count

    async def derived_key(self, scope: str, purpose: str) -> bytes:
        _check_scope(scope)
        return (await self._keyring.keys(scope)).derived(purpose)

    async def shred(self, scope: str) -> Shredding:
        _check_scope(scope)
        return await self._keyring.shred(scope)

    async def prepare(self) -> None:
        await self._shelf.prepare()

    async def sweep(self, before: datetime) -> int:
        return await self._shelf.sweep(before)

    async def _begun(self, scope: str) -> "Writing":
        _check_scope(scope)
        keys = await self._keyring.keys(scope)
        header = Header.new(scope, keys, self._random)
        draft = await self._shelf.begin(scope, header.packed())
        return Writing(scope, header, draft, Intake(Sealer(scope, header.key(scope, keys), self._random), keys))

    async def _resumed(self, scope: str, draft: Draft) -> "Writing":
        keys = await self._keyring.keys(scope)
        header = Header.unpacked(draft.header)
        sealer = Sealer(scope, header.key(scope, keys), self._random)
        paused = self._paused.pop(draft.id, None)
        if paused is not None and await draft.ends_with(paused.tail):
            intake = paused.intake
        else:
            intake = await _read_again(draft, sealer, Intake(sealer, keys))
        await draft.rewind(intake.count)
        return Writing(scope, header, draft, intake)

    async def _collect(self, refs: list[str], referenced: Referenced, before: datetime) -> int:
        held = await referenced(refs)
        count = 0
        for ref in refs:
            if ref not in held:
                telemetry.points.reached("blobs.collect.found")
                count += await self._shelf.delete(*_parts(ref), before)
                telemetry.points.reached("blobs.collect.deleted")
        _collected.inc(count)
        return count

    async def _rewrap(self, scope: str, keys: ScopeKeys) -> int:
        count = 0
        async for kept in self._shelf.names(scope):
            packed = await self._shelf.header(scope, kept.name)
            if packed is None:
                continue
            header = Header.unpacked(packed)
            if header.key_version < keys.current:
                after = header.rewrapped(scope, keys, self._random)
                await self._shelf.put_header(scope, kept.name, packed, after.packed())
                telemetry.points.reached("blobs.rotate.wrapped")
                count += 1
        return count

    async def _open(self, ref: str) -> tuple[str, str, Header, Sealer]:
        """The content's header, which is checked, and what opens its chunks."""
        scope, name = _parts(ref)
        keys = await self._keyring.keys(scope)
        packed = await self._shelf.header(scope, name)
        if packed is None:
            raise _no_such_content()
        header = Header.unpacked(packed)
        sealer = Sealer(scope, header.key(scope, keys), self._random)
        sealer.check(name, header)
        return scope, name, header, sealer


class Writing:
    """`Incoming`: an intake, and the draft that it fills.

    What has come is hashed by one thread, and sealed and written by another, while more comes; each has two batches
    at most, so that memory stays flat and a slow disk slows the sender down.
    """

    def __init__(self, scope: str, header: Header, draft: Draft, intake: Intake) -> None:
        self.draft = draft
        self._kept = False
        self._scope = scope
        self._header = header
        self._intake = intake
        self._before = intake.copy()
        self._hashing, self._writing = Lane(), Lane()

    @property
    def size(self) -> int:
        return self._intake.size

    @property
    def ended(self) -> bool:
        """It was kept, or a write failed: then what the draft holds is found by reading it again."""
        return self._kept or self._hashing.failed or self._writing.failed

    async def write(self, piece: bytes) -> None:
        if self._intake.take(piece) > _BATCH:
            await self._at_most(_AHEAD - 1)
            self._begin(self._intake.due())

    async def hold(self) -> None:
        await self.pause()

    async def pause(self) -> "_Paused":
        await self._flush()
        tail = self._intake.tail()
        await self.draft.hold(tail)
        return _Paused(tail, self._intake)

    async def rewind(self) -> None:
        await self._at_most(0)
        self._intake.__dict__.update(self._before.copy().__dict__)
        await self.draft.rewind(self._intake.count)

    async def whole(self) -> Blob:
        await self._flush()
        return Blob(f"{self._scope}:{self._intake.name}", self._intake.size, self._intake.sha256.hex())

    async def keep(self) -> Blob:
        blob = await self.whole()
        self._kept = True
        await self.draft.write([self._intake.finish()])
        telemetry.points.reached("blobs.put.written")
        if await self.draft.keep(self._intake.name, self._intake.header(self._header).packed()):
            _stored.inc(blob.size)
        else:
            _met.inc()
        telemetry.points.reached("blobs.put.kept")
        return blob

    async def drop(self) -> None:
        await self._hashing.end()
        await self._writing.end()
        await self.draft.drop()

    async def _flush(self) -> None:
        """Has everything written but what waits for the chunk to be full."""
        if due := self._intake.due():
            self._begin(due)
        await self._at_most(0)

    def _begin(self, due: memoryview) -> None:
        self._hashing.begin(lambda: asyncio.to_thread(self._intake.hash, due))
        self._writing.begin(lambda: self.draft.write(self._intake.seal(due)))

    async def _at_most(self, count: int) -> None:
        """Waits until each has only so many batches; what went wrong with one is raised here."""
        await self._hashing.at_most(count)
        await self._writing.at_most(count)


@dataclass(frozen=True, slots=True)
class _Paused:
    """How an intake was left, and the tail that tells whether its draft is still as it was then."""

    tail: Sealed
    intake: Intake


async def _read_again(draft: Draft, sealer: Sealer, intake: Intake) -> Intake:
    """The state in which another process left a draft: as far as it can be read."""
    tail = b""
    async with aclosing(draft.chunks()) as chunks:
        async for sealed in chunks:
            try:
                intake.again(1, sealer.open(intake.count, sealed))
            except Damaged:  # the tail, or what a power cut has torn
                with suppress(Damaged):
                    tail = sealer.open(intake.count, sealed, tail=True)
                break
    intake.again(0, tail)
    return intake


def _check_scope(scope: str) -> None:
    if not _SCOPE.fullmatch(scope):
        raise Invalid("A scope is 1 to 64 of a-z, 0-9, dot, underscore and hyphen.", reason="SCOPE")


def _parts(ref: str) -> tuple[str, str]:
    scope, _, name = ref.partition(":")
    if not (_SCOPE.fullmatch(scope) and _NAME.fullmatch(name)):
        raise _no_such_content()
    return scope, name


def _draft_parts(draft: str) -> tuple[str, str]:
    scope, _, draft_id = draft.partition(":")
    if not (_SCOPE.fullmatch(scope) and _DRAFT.fullmatch(draft_id)):
        raise NotFound("There is no such draft.", reason="NO_SUCH_DRAFT")
    return scope, draft_id


def _no_such_content() -> NotFound:
    return NotFound("There is no such content.", reason="NO_SUCH_CONTENT")
