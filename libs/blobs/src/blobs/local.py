"""Content as files: `content/<scope>/<2 characters>/<2 characters>/<name>` under one folder."""

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from errors import Transient

from blobs.content import SealedBlobs
from blobs.keyring import Keyring, sync_folder
from blobs.sealing import HEADER, SEALED_CHUNK

_INCOMING: Final = "incoming"
_CONTENT: Final = "content"


class LocalBlobs(SealedBlobs):
    """Content in a folder of one machine, or one that machines share."""

    def __init__(self, folder: Path, keyring: Keyring) -> None:
        super().__init__(_Folder(folder), keyring)


class _Folder:
    """A shelf of files. Content is written beside, synced, and then renamed to its name."""

    def __init__(self, folder: Path) -> None:
        self._incoming = folder / _INCOMING
        self._content = folder / _CONTENT

    async def prepare(self) -> None:
        with _disk():
            self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._content.mkdir(parents=True, exist_ok=True, mode=0o700)

    async def begin(self, scope: str) -> "_File":
        path = self._incoming / os.urandom(16).hex()
        with _disk():
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(file, bytes(HEADER))  # the header is known at the end
        return _File(path, file, self._content / scope)

    async def header(self, scope: str, name: str) -> bytes | None:
        with _disk():
            file = _opened(self._content / scope, name)
            if file is None:
                return None
            try:
                return os.read(file, HEADER)
            finally:
                os.close(file)

    async def read(self, scope: str, name: str, first: int, count: int) -> AsyncGenerator[bytes, None]:
        with _disk():
            file = _opened(self._content / scope, name)
        if file is None:
            return
        try:
            for index in range(first, first + count):
                with _disk():
                    sealed = os.pread(file, SEALED_CHUNK, HEADER + index * SEALED_CHUNK)
                if not sealed:
                    return
                yield sealed
        finally:
            os.close(file)

    async def delete(self, scope: str, name: str) -> bool:
        with _disk():
            try:
                _place(self._content / scope, name).unlink()
            except FileNotFoundError:
                return False
        return True

    async def sweep(self, before: datetime) -> int:
        left = [path for path in self._incoming.iterdir() if path.stat().st_mtime < before.timestamp()]
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)


class _File:
    """A draft."""

    def __init__(self, path: Path, file: int, scope: Path) -> None:
        self._path = path
        self._file = file
        self._scope = scope

    async def write(self, sealed: Sequence[bytes]) -> None:
        with _disk():
            for chunk in sealed:
                rest = memoryview(chunk)
                while rest:
                    rest = rest[os.write(self._file, rest) :]

    async def keep(self, name: str, header: bytes) -> bool:
        """Syncing waits for the disk, so a thread does it."""
        return await asyncio.to_thread(self._keep, _place(self._scope, name), header)

    async def drop(self) -> None:
        os.close(self._file)
        self._path.unlink(missing_ok=True)

    def _keep(self, place: Path, header: bytes) -> bool:
        with _disk():
            try:
                os.pwrite(self._file, header, 0)
                os.fsync(self._file)
                _make_folders(place.parent, self._scope.parent)
                there = place.exists()
                if not there:
                    self._path.rename(place)
            finally:
                os.close(self._file)
                self._path.unlink(missing_ok=True)
            sync_folder(place.parent)  # also for one that another process has just renamed
            return not there


def _place(scope: Path, name: str) -> Path:
    return scope / name[:2] / name[2:4] / name


def _opened(scope: Path, name: str) -> int | None:
    try:
        return os.open(_place(scope, name), os.O_RDONLY)
    except FileNotFoundError:
        return None


def _make_folders(folder: Path, above: Path) -> None:
    """Makes the folders from `above` down to `folder`, durably."""
    made = above
    for name in folder.relative_to(above).parts:
        made /= name
        if not made.is_dir():
            made.mkdir(exist_ok=True, mode=0o700)
            sync_folder(made.parent)


@contextmanager
def _disk() -> Iterator[None]:
    """What the disk refuses (full, read-only, broken, away) is for its operator to mend, and may work then."""
    try:
        yield
    except OSError as error:
        raise Transient("The folder of the content does not work.", reason="CONTENT_DISK") from error
