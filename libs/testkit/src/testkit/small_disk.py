"""A small disk of its own, which can be full: a tmpfs, for tests that run as root."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class NoDisk(Exception):
    """This machine does not let us mount one."""


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """`fill` leaves not an octet and no new file, `free` gives all of it back; what lies there stays."""

    folder: Path
    kilobytes: int

    def fill(self) -> None:
        """No room is left for anybody: neither data nor, since those take pages too, names."""
        with self._filler.open("ab", buffering=0) as filler:
            for piece in (1 << 20, 4096, 1):
                try:
                    while True:
                        filler.write(b"\0" * piece)
                except OSError as full:
                    if full.errno != errno.ENOSPC:
                        raise

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)

    @property
    def full(self) -> bool:
        return not os.statvfs(self.folder).f_bavail

    @property
    def _filler(self) -> Path:
        return self.folder / ".filler"


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[SmallDisk]:
    """Mounted at a folder as long as it is held; `NoDisk` where that is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "rossio", str(folder)]
    try:
        done = subprocess.run(mounting, check=False, capture_output=True, text=True)
    except FileNotFoundError as missing:
        raise NoDisk("there is no mount(8)") from missing
    if done.returncode:
        raise NoDisk(f"this machine does not let us mount a small disk: {done.stderr.strip()}")
    try:
        yield SmallDisk(folder, kilobytes)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
