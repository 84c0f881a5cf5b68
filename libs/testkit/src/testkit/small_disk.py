"""A disk of its own, which can be full: a tmpfs, for tests that run as root."""

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
    """`fill` leaves no room for an octet, `free` makes it as large as it was; what lies there stays."""

    folder: Path
    kilobytes: int

    def fill(self) -> None:
        """Makes it as small as what lies there, also while others write."""
        (self.folder / ".page").write_bytes(b"\0" * 4096)  # to a tmpfs, a size of 0 would be none
        while True:
            there = os.statvfs(self.folder)
            used = (there.f_blocks - there.f_bfree) * there.f_frsize // 1024
            if self._sized(used) and not os.statvfs(self.folder).f_bfree:
                return

    def free(self) -> None:
        assert self._sized(self.kilobytes)

    def _sized(self, kilobytes: int) -> bool:
        changed = ["mount", "-o", f"remount,size={kilobytes}k", str(self.folder)]
        return subprocess.run(changed, check=False, capture_output=True).returncode == 0


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
