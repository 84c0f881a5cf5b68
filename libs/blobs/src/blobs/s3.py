"""Content in a bucket of an S3 server that has conditional writes (AWS, MinIO, Ceph and others).

names/<scope>/<name>          what a name stands for: its header and the id of its data
data/<scope>/<id>/<number>    its chunks, some of them an object, written once
drafts/<scope>/<id>           what is under way: the header, the name once it is known, and the last chunks

An object at `names` is replaced only by who has seen the one before, so whether content is kept anew
or deleted is decided by one write; one that stands for nothing stays there, empty. Data are deleted
by their id, which nothing gets twice.
"""

import asyncio
import os
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import obstore
from errors import Conflict, Invalid, NotFound, Transient
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import S3Store

from blobs.keyring import Keyring
from blobs.sealed import SealedBlobs
from blobs.sealing import HEADER, SEALED_CHUNK, Sealed
from blobs.shelf import Kept

if TYPE_CHECKING:
    from obstore import PutMode

_PART: Final = 16
"""Chunks of an object: 4 MiB, which a writer holds in memory."""
_ID: Final = 32
_DRAFT: Final = struct.Struct(f">{HEADER}s64sII")
_ROUNDED: Final = timedelta(seconds=1)
"""What the server's times leave out; nothing may look older than it is."""
_SECONDS: Final = "60s"


class Bucket(NamedTuple):
    """Where to find the bucket; no endpoint is that of the region, and no keys are those of the environment."""

    endpoint: str
    name: str
    region: str
    access_key: str = ""
    secret_key: str = ""

    def opened(self) -> S3Store:
        given: dict[str, Any] = {"endpoint": self.endpoint} if self.endpoint else {}
        if self.access_key:
            given |= {"access_key_id": self.access_key, "secret_access_key": self.secret_key}
        return S3Store(
            self.name,
            region=self.region,
            conditional_put="etag",
            client_options={"allow_http": self.endpoint.startswith("http://"), "timeout": _SECONDS},
            **given,
        )


class S3Blobs(SealedBlobs):
    """Content in a bucket, which is there already."""

    def __init__(self, bucket: Bucket, keyring: Keyring) -> None:
        super().__init__(_Objects(bucket.opened()), keyring)


@dataclass(frozen=True, slots=True)
class _Name:
    """What a name stands for, and the version of the object that says so."""

    header: bytes
    data_id: str
    etag: str
    kept_at: datetime

    @property
    def gone(self) -> bool:
        return not self.data_id

    @staticmethod
    def body(header: bytes, data_id: str) -> bytes:
        """The object; with chance in it, so that no two writes of the same are one version."""
        return header + data_id.encode() + os.urandom(8)


class _Objects:
    """A shelf of objects."""

    def __init__(self, store: S3Store) -> None:
        self.store = store

    async def prepare(self) -> None:
        """Invalid S3_WITHOUT_CONDITIONS when the server would overwrite what it was told not to."""
        await self.put("probe", b"")
        if await self.put("probe", b"", "create"):
            raise Invalid("This S3 server has no conditional writes.", reason="S3_WITHOUT_CONDITIONS")

    async def begin(self, scope: str, header: bytes) -> "_Draft":
        return _Draft(self, scope, os.urandom(_ID // 2).hex(), header)

    async def resume(self, scope: str, draft_id: str) -> "_Draft":
        found = await self.get(f"drafts/{scope}/{draft_id}")
        if found is None:
            raise NotFound("There is no such draft.", reason="NO_SUCH_DRAFT")
        body, etag, _ = found
        header, _, parts, rest = _DRAFT.unpack_from(body)
        draft = _Draft(self, scope, draft_id, header)
        draft.opened(etag, len(await self.listed(f"data/{scope}/{draft_id}/")), parts, body[_DRAFT.size :], rest)
        return draft

    async def header(self, scope: str, name: str) -> bytes | None:
        found = await self.named(scope, name)
        return None if found is None or found.gone else found.header

    async def put_header(self, scope: str, name: str, before: bytes, after: bytes) -> None:
        found = await self.named(scope, name)
        if found is not None and found.header == before:
            await self.put(_key(scope, name), _Name.body(after, found.data_id), found.etag)

    async def read(self, scope: str, name: str, first: int, count: int) -> AsyncGenerator[bytes, None]:
        found = await self.named(scope, name)
        end = first + count
        while found is not None and first < end:
            stop = min(end, (first // _PART + 1) * _PART)
            at, length = first % _PART * SEALED_CHUNK, (stop - first) * SEALED_CHUNK
            with _server(), suppress(FileNotFoundError):
                path = f"data/{scope}/{found.data_id}/{first // _PART:08}"
                chunks = memoryview(await obstore.get_range_async(self.store, path, start=at, length=length))
                for chunk in _split(chunks):
                    yield chunk
                first = stop
                continue
            return

    async def touch(self, scope: str, name: str) -> bool:
        while True:
            found = await self.named(scope, name)
            if found is None or found.gone:
                return False
            if await self.put(_key(scope, name), _Name.body(found.header, found.data_id), found.etag):
                return True

    async def names(self, scope: str) -> AsyncIterator[Kept]:
        for path, at, size in await self.listed(f"names/{scope}/"):
            if size:
                yield Kept(path.rpartition("/")[2], at)

    async def scopes(self) -> Sequence[str]:
        with _server():
            found = await obstore.list_with_delimiter_async(self.store, "names/")
        return sorted(prefix.strip("/").rpartition("/")[2] for prefix in found["common_prefixes"])

    async def delete(self, scope: str, name: str, before: datetime | None = None) -> bool:
        """Says first what it will do, so that the sweep ends what a process that died has begun."""
        found = await self.named(scope, name)
        if found is None or found.gone or (before is not None and found.kept_at >= before):
            return False
        note = f"drafts/{scope}/{found.data_id}"
        await self.put(note, _DRAFT.pack(found.header, name.encode(), 0, 0))
        deleted = bool(await self.put(_key(scope, name), b"", found.etag))
        if deleted:
            await self.discard(f"data/{scope}/{found.data_id}/")
        await self.discard(note)
        return deleted

    async def sweep(self, before: datetime) -> int:
        count = 0
        for path, at, _ in await self.listed("drafts/"):
            if at < before:
                _, scope, draft_id = path.split("/")
                found = await self.get(path)
                name = _DRAFT.unpack_from(found[0])[1].rstrip(b"\0").decode() if found else ""
                named = await self.named(scope, name) if name else None
                if named is None or named.data_id != draft_id:
                    await self.discard(f"data/{scope}/{draft_id}/")
                    count += 1
                await self.discard(path)
        return count

    async def named(self, scope: str, name: str) -> _Name | None:
        found = await self.get(_key(scope, name))
        if found is None:
            return None
        body, etag, at = found
        return _Name(body[:HEADER], body[HEADER : HEADER + _ID].decode(), etag, at)

    async def get(self, path: str) -> tuple[bytes, str, datetime] | None:
        """An object, its version, and when it was written."""
        with _server(), suppress(FileNotFoundError):
            found = await obstore.get_async(self.store, path)
            body = bytes(await found.bytes_async())
            return body, found.meta["e_tag"] or "", found.meta["last_modified"] + _ROUNDED
        return None

    async def put(self, path: str, body: bytes | bytearray, condition: str = "") -> str:
        """The version of the object written; "" when it was not: `create`, or the version that it replaces."""
        mode: PutMode = "overwrite"
        if condition:
            mode = "create" if condition == "create" else {"e_tag": condition}
        with _server(), suppress(AlreadyExistsError, PreconditionError):
            put = await obstore.put_async(self.store, path, body, mode=mode, use_multipart=False)
            return put["e_tag"] or "written"
        return ""

    async def listed(self, prefix: str) -> list[tuple[str, datetime, int]]:
        found = list[tuple[str, datetime, int]]()
        with _server():
            async for page in obstore.list(self.store, prefix):
                found += [(item["path"], item["last_modified"] + _ROUNDED, item["size"]) for item in page]
        return sorted(found)

    async def discard(self, prefix: str) -> None:
        """Removes one object, or all below a prefix that ends with "/"."""
        paths = [path for path, _, _ in await self.listed(prefix)] if prefix.endswith("/") else [prefix]
        for path in paths:
            with _server(), suppress(FileNotFoundError):
                await obstore.delete_async(self.store, path)


class _Draft:
    """A draft; its object is written when there is something that the sweep would have to find."""

    def __init__(self, objects: _Objects, scope: str, draft_id: str, header: bytes) -> None:
        self.id = draft_id
        self.header = header
        self._objects = objects
        self._scope = scope
        self._etag = "create"
        self._parts = 0
        self._rest: list[Sealed] = []
        self._tail: Sealed | None = None

    def opened(self, etag: str, parts: int, held_parts: int, held: bytes, rest: int) -> None:
        """As it was left: `rest` chunks and a tail are `held` behind `held_parts` objects, if these are all."""
        self._etag = etag
        self._parts = parts
        if parts == held_parts:
            chunks: list[Sealed] = list(_split(memoryview(held)))
            self._rest, self._tail = chunks[:rest], chunks[rest] if rest < len(chunks) else None

    async def chunks(self) -> AsyncGenerator[Sealed, None]:
        for number in range(self._parts):
            for chunk in await self._part(number):
                yield chunk
        for chunk in self._rest:
            yield chunk
        if self._tail is not None:
            yield self._tail

    async def write(self, sealed: Iterable[Sealed]) -> None:
        self._rest += await asyncio.to_thread(list, sealed)
        while len(self._rest) >= _PART:
            await self._store(self._rest[:_PART])
            del self._rest[:_PART]

    async def hold(self, tail: Sealed) -> None:
        await self._say("", [*self._rest, tail])
        self._tail = tail

    async def ends_with(self, tail: Sealed) -> bool:
        return self._tail == tail

    async def rewind(self, count: int) -> None:
        parts = count // _PART
        if parts < self._parts:
            self._rest = await self._part(parts)
            for number in range(parts, self._parts):
                await self._objects.discard(self._path(number))
            self._parts = parts
        del self._rest[count - self._parts * _PART :]

    async def keep(self, name: str, header: bytes) -> bool:
        await self._say(name, self._rest)
        if self._rest:
            await self._store(self._rest)
        kept = await self._named(name, header)
        with suppress(Transient):  # the sweep does it else
            if not kept:
                await self._objects.discard(f"data/{self._scope}/{self.id}/")
            await self._objects.discard(f"drafts/{self._scope}/{self.id}")
        return kept

    async def drop(self) -> None:
        await self._objects.discard(f"data/{self._scope}/{self.id}/")
        await self._objects.discard(f"drafts/{self._scope}/{self.id}")

    async def close(self) -> None:
        """There is nothing to let go: a second writer meets the first one's objects."""

    async def _named(self, name: str, header: bytes) -> bool:
        body = _Name.body(header, self.id)
        while not await self._objects.put(_key(self._scope, name), body, "create"):
            found = await self._objects.named(self._scope, name)
            if found is None:
                continue
            if found.gone:
                if await self._objects.put(_key(self._scope, name), body, found.etag):
                    return True
            elif await self._objects.put(_key(self._scope, name), _Name.body(found.header, found.data_id), found.etag):
                return False
        return True

    async def _say(self, name: str, held: Sequence[Sealed]) -> None:
        rest = len(held) - (not name)
        body = _DRAFT.pack(self.header, name.encode(), self._parts, rest) + b"".join(held)
        written = await self._objects.put(f"drafts/{self._scope}/{self.id}", body, self._etag)
        if not written:
            raise _busy()
        self._etag = written

    async def _store(self, chunks: Sequence[Sealed]) -> None:
        if self._etag == "create":
            await self._say("", [b""])
        if not await self._objects.put(self._path(self._parts), b"".join(chunks), "create"):
            raise _busy()
        self._parts += 1

    async def _part(self, number: int) -> list[Sealed]:
        found = await self._objects.get(self._path(number))
        return list(_split(memoryview(found[0]))) if found else []

    def _path(self, number: int) -> str:
        return f"data/{self._scope}/{self.id}/{number:08}"


def _key(scope: str, name: str) -> str:
    return f"names/{scope}/{name}"


def _split(chunks: memoryview) -> Iterator[bytes]:
    for at in range(0, len(chunks), SEALED_CHUNK):
        yield bytes(chunks[at : at + SEALED_CHUNK])


def _busy() -> Conflict:
    return Conflict("Somebody else writes this draft.", reason="DRAFT_BUSY")


@contextmanager
def _server() -> Iterator[None]:
    """What the server refuses is for its operator to mend, and may work then."""
    try:
        yield
    except (AlreadyExistsError, PreconditionError):
        raise
    except BaseError as error:
        raise Transient("The S3 server does not work.", reason="S3_UNAVAILABLE") from error
