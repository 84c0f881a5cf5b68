"""Content in MongoDB, in the layout of GridFS."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from datetime import UTC, datetime
from typing import Final

from errors import Conflict, NotFound, Transient
from store import Database, Files, Upload

from blobs.keyring import Keyring
from blobs.sealed import SealedBlobs
from blobs.sealing import SEALED_CHUNK, Sealed
from blobs.shelf import Kept

_PAGE: Final = 200

Now = Callable[[], datetime]


class GridFSBlobs(SealedBlobs):
    """Content in a bucket of the database."""

    def __init__(
        self, database: Database, keyring: Keyring, *, bucket: str = "content", now: Now = lambda: datetime.now(UTC)
    ) -> None:
        super().__init__(_Bucket(database.files(bucket), now), keyring)


class _Bucket:
    """A shelf of files; the header is in the file's metadata.

    Content of a name is one document, so whether it is kept anew or deleted is decided by one write.
    """

    def __init__(self, files: Files, now: Now) -> None:
        self._files = files
        self._now = now

    async def prepare(self) -> None:
        await self._files.ensure()

    async def begin(self, scope: str, header: bytes) -> "_Draft":
        with _writing():
            upload = await self._files.upload(os.urandom(16).hex(), at=self._now(), metadata={"header": header})
        return _Draft(scope, upload, self._files, self._now)

    async def resume(self, scope: str, draft_id: str) -> "_Draft":
        upload = await self._files.resume(draft_id)
        if upload is None:
            raise NotFound("There is no such draft.", reason="NO_SUCH_DRAFT")
        return _Draft(scope, upload, self._files, self._now)

    async def header(self, scope: str, name: str) -> bytes | None:
        file = await self._files.stat(_name(scope, name))
        return None if file is None else bytes(file.metadata["header"])

    async def put_header(self, scope: str, name: str, before: bytes, after: bytes) -> None:
        await self._files.change(_name(scope, name), {"header": before}, {"header": after})

    async def read(self, scope: str, name: str, first: int, count: int) -> AsyncGenerator[bytes, None]:
        file = await self._files.stat(_name(scope, name))
        if file is not None:
            with suppress(NotFound):
                async with aclosing(self._files.read(file, first, count)) as chunks:
                    async for chunk in chunks:
                        yield chunk

    async def touch(self, scope: str, name: str) -> bool:
        return await self._files.touch(_name(scope, name), self._now())

    async def names(self, scope: str) -> AsyncIterator[Kept]:
        after = _name(scope, "")
        while page := await self._files.names(after, _name(scope, "~"), _PAGE):
            for name, at in page:
                yield Kept(name.partition(":")[2], at)
            after = page[-1][0]

    async def scopes(self) -> Sequence[str]:
        found = list[str]()
        while page := await self._files.names(_name(found[-1], "~") if found else "", "~", 1):
            found.append(page[0][0].partition(":")[0])
        return found

    async def delete(self, scope: str, name: str, before: datetime | None = None) -> bool:
        return await self._files.delete(_name(scope, name), before)

    async def sweep(self, before: datetime) -> int:
        return await self._files.sweep(before)


class _Draft:
    def __init__(self, scope: str, upload: Upload, files: Files, now: Now) -> None:
        self.id = upload.id
        self.header = bytes(upload.metadata["header"])
        self._scope = scope
        self._upload = upload
        self._files = files
        self._now = now

    async def chunks(self) -> AsyncGenerator[Sealed, None]:
        async with aclosing(self._upload.chunks()) as chunks:
            async for chunk in chunks:
                yield chunk
        if self._upload.tail is not None:
            yield self._upload.tail

    async def write(self, sealed: Iterable[Sealed]) -> None:
        chunks = await asyncio.to_thread(lambda: [bytes(chunk) for chunk in sealed])
        with _writing():
            await self._upload.write(chunks)

    async def hold(self, tail: Sealed) -> None:
        with _writing():
            await self._upload.hold(bytes(tail), self._now())

    async def ends_with(self, tail: Sealed) -> bool:
        return self._upload.tail == bytes(tail)

    async def rewind(self, count: int) -> None:
        await self._upload.rewind(count, count * SEALED_CHUNK)

    async def keep(self, name: str, header: bytes) -> bool:
        """Meets the content of that name, or is it; one that goes in between is put anew."""
        whole = _name(self._scope, name)
        while not await self._files.touch(whole, self._now()):
            metadata = {"header": header}
            with _writing():
                kept = await self._upload.finish(whole, at=self._now(), chunk_size=SEALED_CHUNK, metadata=metadata)
            if kept:
                return True
        with suppress(Transient):  # the sweep does it else
            await self._upload.abort()
        return False

    async def drop(self) -> None:
        await self._upload.abort()

    async def close(self) -> None:
        """There is nothing to let go: a second writer meets the first one's chunks."""


@contextmanager
def _writing() -> Iterator[None]:
    """Says what the store refuses as other shelves do."""
    try:
        yield
    except Conflict:
        raise Conflict("Somebody else writes this draft.", reason="DRAFT_BUSY") from None
    except Transient as error:
        if error.reason == "STORE_FULL":
            raise Transient("The disk of the content is full.", reason="CONTENT_FULL") from error
        raise


def _name(scope: str, name: str) -> str:
    return f"{scope}:{name}"
