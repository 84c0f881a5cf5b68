"""Content in MongoDB, in the layout of GridFS."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from datetime import UTC, datetime

from errors import NotFound
from store import Database, Files, Upload

from blobs.content import SealedBlobs
from blobs.keyring import Keyring
from blobs.sealing import SEALED_CHUNK


class GridFSBlobs(SealedBlobs):
    """Content in a bucket of the database."""

    def __init__(self, database: Database, keyring: Keyring, *, bucket: str = "content") -> None:
        super().__init__(_Bucket(database.files(bucket)), keyring)


class _Bucket:
    """A shelf of files; the header is in the file's metadata."""

    def __init__(self, files: Files, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._files = files
        self._now = now

    async def prepare(self) -> None:
        await self._files.ensure()

    async def begin(self, scope: str) -> "_Draft":
        return _Draft(scope, await self._files.upload(at=self._now()))

    async def header(self, scope: str, name: str) -> bytes | None:
        file = await self._files.stat(_name(scope, name))
        return None if file is None else bytes(file.metadata["header"])

    async def read(self, scope: str, name: str, first: int, count: int) -> AsyncGenerator[bytes, None]:
        file = await self._files.stat(_name(scope, name))
        if file is not None:
            with suppress(NotFound):
                async with aclosing(self._files.read(file, first, count)) as chunks:
                    async for chunk in chunks:
                        yield chunk

    async def delete(self, scope: str, name: str) -> bool:
        return await self._files.delete(_name(scope, name))

    async def sweep(self, before: datetime) -> int:
        return await self._files.sweep(before)


class _Draft:
    def __init__(self, scope: str, upload: Upload) -> None:
        self._scope = scope
        self._upload = upload

    async def write(self, sealed: Sequence[bytes]) -> None:
        await self._upload.write(sealed)

    async def keep(self, name: str, header: bytes) -> bool:
        return await self._upload.finish(_name(self._scope, name), chunk_size=SEALED_CHUNK, metadata={"header": header})

    async def drop(self) -> None:
        await self._upload.abort()


def _name(scope: str, name: str) -> str:
    return f"{scope}:{name}"
