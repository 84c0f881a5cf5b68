"""Content as files: `content/<scope>/<2 characters>/<2 characters>/<name>` under one folder."""

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Final

from errors import Conflict, NotFound

from blobs.files import disk, expect, locked, start_writing, sync_folder
from blobs.keyring import Keyring
from blobs.sealed import SealedBlobs
from blobs.sealing import EMPTY, HEADER, SEALED_CHUNK, Sealed
from blobs.shelf import Kept

_INCOMING: Final = "incoming"
_CONTENT: Final = "content"
_LOCKS: Final = "locks"
_WRITE_BACK: Final = 8 << 20
_IN_ONE_CALL: Final = 64

Now = Callable[[], datetime]


class LocalBlobs(SealedBlobs):
    """Content in a folder of one machine, or one that machines share (its file locks must hold there)."""

    def __init__(self, folder: Path, keyring: Keyring, *, now: Now = lambda: datetime.now(UTC)) -> None:
        super().__init__(_Folder(folder, now), keyring)


class _Folder:
    """A shelf of files. Content is written beside, synced, and then renamed to its name.

    A file's time is when it was last kept. Keeping holds the lock of the scope with others, and
    deleting holds it alone, so that nothing is deleted that is being kept anew.
    """

    def __init__(self, folder: Path, now: Now) -> None:
        self._incoming = folder / _INCOMING
        self._content = folder / _CONTENT
        self._locks = folder / _LOCKS
        self._now = now

    async def prepare(self) -> None:
        with disk():
            self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._content.mkdir(parents=True, exist_ok=True, mode=0o700)

    async def begin(self, scope: str, header: bytes) -> "_File":
        draft_id = os.urandom(16).hex()
        path = self._incoming / draft_id
        with disk():
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                _written(file, [header], 0)
            except OSError:
                os.close(file)
                path.unlink(missing_ok=True)  # a full disk is not left with what did not fit
                raise
        return _File(draft_id, header, path, file, self._content / scope, self._lock(scope), self._now)

    async def resume(self, scope: str, draft_id: str) -> "_File":
        path = self._incoming / draft_id
        with disk():
            try:
                file = os.open(path, os.O_RDWR)
            except FileNotFoundError:
                raise NotFound("There is no such draft.", reason="NO_SUCH_DRAFT") from None
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                raise Conflict("Somebody else writes this draft.", reason="DRAFT_BUSY") from None
            header = os.pread(file, HEADER, 0)
        if len(header) < HEADER:  # a power cut has taken it before anything came
            os.close(file)
            raise NotFound("There is no such draft.", reason="NO_SUCH_DRAFT")
        return _File(draft_id, header, path, file, self._content / scope, self._lock(scope), self._now)

    async def header(self, scope: str, name: str) -> bytes | None:
        with disk():
            file = _opened(self._content / scope, name)
            if file is None:
                return None
            try:
                return os.read(file, HEADER)
            finally:
                os.close(file)

    async def put_header(self, scope: str, name: str, before: bytes, after: bytes) -> None:
        await asyncio.to_thread(self._put_header, scope, name, before, after)

    async def read(self, scope: str, name: str, first: int, count: int) -> AsyncGenerator[bytes, None]:
        with disk():
            file = _opened(self._content / scope, name)
        if file is None:
            return
        try:
            for index in range(first, first + count):
                with disk():
                    sealed = os.pread(file, SEALED_CHUNK, HEADER + index * SEALED_CHUNK)
                if not sealed:
                    return
                yield sealed
        finally:
            os.close(file)

    async def touch(self, scope: str, name: str) -> bool:
        return await asyncio.to_thread(self._touch, scope, name)

    async def names(self, scope: str) -> AsyncIterator[Kept]:
        for path in (self._content / scope).glob("??/??/*"):
            with disk():
                try:
                    yield Kept(path.name, datetime.fromtimestamp(path.stat().st_mtime, UTC))
                except FileNotFoundError:
                    continue

    async def scopes(self) -> Sequence[str]:
        with disk():
            return sorted(path.name for path in self._content.iterdir() if path.is_dir())

    async def delete(self, scope: str, name: str, before: datetime | None = None) -> bool:
        return await asyncio.to_thread(self._delete, scope, name, before)

    async def sweep(self, before: datetime) -> int:
        left = [path for path in self._incoming.iterdir() if path.stat().st_mtime < before.timestamp()]
        for path in left:
            path.unlink(missing_ok=True)
        return len(left)

    def _put_header(self, scope: str, name: str, before: bytes, after: bytes) -> None:
        """In place, and keeping the file's time: a header is far smaller than what a disk writes as one."""
        with disk(), locked(self._lock(scope)):
            file = _opened(self._content / scope, name, os.O_RDWR)
            if file is None:
                return
            try:
                times = os.fstat(file)
                if os.pread(file, HEADER, 0) == before:
                    os.pwrite(file, after, 0)
                    os.fsync(file)
                    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
            finally:
                os.close(file)

    def _touch(self, scope: str, name: str) -> bool:
        place = _place(self._content / scope, name)
        if not place.exists():
            return False
        with disk(), locked(self._lock(scope), shared=True):
            return _touched(place, self._now())

    def _delete(self, scope: str, name: str, before: datetime | None) -> bool:
        place = _place(self._content / scope, name)
        if not place.exists():
            return False
        with disk(), locked(self._lock(scope)):
            try:
                if before is not None and place.stat().st_mtime >= before.timestamp():
                    return False
                place.unlink()
            except FileNotFoundError:
                return False
            return True

    def _lock(self, scope: str) -> Path:
        return self._locks / scope


class _File:
    """A draft: the file as it will be, and its tail in the place of the next chunk."""

    def __init__(self, draft_id: str, header: bytes, path: Path, file: int, scope: Path, lock: Path, now: Now) -> None:
        self.id = draft_id
        self.header = header
        self._path = path
        self._file: int | None = file
        self._scope = scope
        self._lock = lock
        self._now = now
        self._end = HEADER
        self._started = 0
        self._using = Lock()
        """Held while a thread writes or syncs: a number that is closed may be another file's at once, and a file that
        is synced stays locked for others when it is closed."""

    async def chunks(self) -> AsyncGenerator[Sealed, None]:
        at = HEADER
        with disk():
            while sealed := os.pread(self._handle, SEALED_CHUNK, at):
                yield sealed
                at += len(sealed)
                await asyncio.sleep(0)  # reading a large draft again takes seconds

    async def write(self, sealed: Iterable[Sealed]) -> None:
        await asyncio.to_thread(self._write, sealed)

    async def hold(self, tail: Sealed) -> None:
        """A draft into which nothing has come is not synced: a power cut may take it, and nothing of it is lost."""
        with disk():
            os.truncate(self._handle, self._end + _written(self._handle, [tail], self._end))
            if self._end + len(tail) > HEADER + EMPTY:
                await asyncio.to_thread(self._sync)
            _set_time(self._handle, self._now())

    async def ends_with(self, tail: Sealed) -> bool:
        with disk():
            size = os.fstat(self._handle).st_size
            return os.pread(self._handle, len(tail), size - len(tail)) == tail

    async def rewind(self, count: int) -> None:
        self._end = self._started = HEADER + count * SEALED_CHUNK

    async def keep(self, name: str, header: bytes) -> bool:
        """Syncing waits for the disk, so a thread does it."""
        return await asyncio.to_thread(self._keep, _place(self._scope, name), header)

    async def drop(self) -> None:
        await self.close()
        self._path.unlink(missing_ok=True)

    async def close(self) -> None:
        if self._using.locked():  # by a thread of somebody who was cancelled
            await asyncio.to_thread(self._close)
        else:
            self._close()

    @property
    def _handle(self) -> int:
        assert self._file is not None, "the draft is closed"
        return self._file

    def _close(self) -> None:
        with self._using:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _sync(self) -> None:
        with self._using:
            if self._file is not None:
                os.fsync(self._file)

    def _write(self, sealed: Iterable[Sealed]) -> None:
        """Has the disk begin at once, so that little is left to wait for when it has to be durable."""
        with self._using, disk():
            if self._file is None:
                return  # whoever waited for it was cancelled, and has closed it
            self._end += _written(self._file, list(sealed), self._end)
            if self._end - self._started >= _WRITE_BACK:
                start_writing(self._file, self._started, self._end - self._started)
                self._started = self._end
                expect(self._file, self._end, _WRITE_BACK)

    def _keep(self, place: Path, header: bytes) -> bool:
        file, self._file = self._handle, None
        with disk():
            try:
                os.truncate(file, self._end)
                os.pwrite(file, header, 0)
                changed = _make_folders(place.parent, self._scope.parent)
                os.fsync(file)
                with locked(self._lock, shared=True):
                    there = _touched(place, self._now())
                    if not there:
                        _set_time(file, self._now())
                        self._path.rename(place)
                    for folder in (place.parent, *changed):  # the first also when another process has just renamed
                        sync_folder(folder)
            finally:
                os.close(file)
                self._path.unlink(missing_ok=True)
            return not there


def _place(scope: Path, name: str) -> Path:
    return scope / name[:2] / name[2:4] / name


def _opened(scope: Path, name: str, flags: int = os.O_RDONLY) -> int | None:
    try:
        return os.open(_place(scope, name), flags)
    except FileNotFoundError:
        return None


def _written(file: int, chunks: Sequence[Sealed | bytes], at: int) -> int:
    """Writes all of them at that place; how many bytes that were.

    In one call if the system takes them, since a thread waits for its turn after each.
    """
    rest, end = [memoryview(chunk) for chunk in chunks], at
    while rest:
        done = os.pwritev(file, rest[:_IN_ONE_CALL], end)
        end += done
        while rest and done >= len(rest[0]):
            done -= len(rest.pop(0))
        if done:
            rest[0] = rest[0][done:]
    return end - at


def _touched(path: Path, at: datetime) -> bool:
    try:
        _set_time(path, at)
    except FileNotFoundError:
        return False
    return True


def _set_time(file: Path | int, at: datetime) -> None:
    os.utime(file, (at.timestamp(), at.timestamp()))


def _make_folders(folder: Path, above: Path) -> list[Path]:
    """Makes the folders from `above` down to `folder`; those that have to be synced for it, the deepest first.

    After all else: what one sync writes of the journal of the file system, the next ones find done.
    """
    made, changed = above, list[Path]()
    for name in folder.relative_to(above).parts:
        made /= name
        if not made.is_dir():
            made.mkdir(exist_ok=True, mode=0o700)
            changed.insert(0, made.parent)
    return changed
