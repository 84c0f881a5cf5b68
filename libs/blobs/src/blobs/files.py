"""Small files that are there whole or not at all, and names that outlive a power cut."""

import ctypes
import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from errors import Transient

from blobs import system

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_SYNC_FILE_RANGE_WRITE: Final = 2
_FALLOC_FL_KEEP_SIZE: Final = 1


_sync_file_range = system.function("sync_file_range", ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
_fallocate = system.function("fallocate", ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


def write_once(path: Path, content: bytes) -> None:
    """Writes a small file durably and whole, unless there is one of that name."""
    with _written(path, content) as draft:
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        finally:
            draft.unlink()


def replace_file(path: Path, content: bytes) -> None:
    """Writes a small file durably and whole, in the place of the one that is there."""
    with _written(path, content) as draft:
        draft.replace(path)


@contextmanager
def disk() -> Iterator[None]:
    """What the disk refuses (full, read-only, broken, away) is for its operator to mend, and may work then."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise Transient("The disk of the content is full.", reason="CONTENT_FULL") from error
        raise Transient("The folder of the content does not work.", reason="CONTENT_DISK") from error


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Holds the lock of that file, which ends with the process that holds it; waits for it."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def start_writing(file: int, offset: int, size: int) -> None:
    """Has the system begin to write what it holds of a file to the disk, without waiting for it (sync_file_range(2)).

    A hint that makes a later fsync short; systems that do not know it write when they like.
    """
    if _sync_file_range is not None:
        _sync_file_range(file, offset, size, _SYNC_FILE_RANGE_WRITE)


def expect(file: int, offset: int, size: int) -> None:
    """Has the system find room at once for what will be written there, and not page by page (fallocate(2)).

    The file stays as long as it is; truncating it gives back what was not needed. A hint: where there is no room, or
    the file system cannot, the writes will tell.
    """
    if _fallocate is not None:
        _fallocate(file, _FALLOC_FL_KEEP_SIZE, offset, size)


@contextmanager
def _written(path: Path, content: bytes) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(file, "wb") as opened:  # what does not fit in whole is an error, and no shorter file
            opened.write(content)
            opened.flush()
            os.fsync(file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    yield draft
    sync_folder(path.parent)
