"""Master keys: given from outside, or a file that only its owner can read. They do not belong into a backup
of what they guard: whoever restores both can read what was shredded.
"""

import base64
import binascii
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from errors import Conflict, Invalid

from blobs.files import replace_file, write_once
from blobs.keys import KEY_BYTES, Random


class Masters(Protocol):
    """The master keys; the first wraps."""

    def keys(self) -> Sequence[bytes]: ...

    def begin_change(self) -> None:
        """Has a new master key before the others, unless there is one already; Conflict MASTER_KEY_GIVEN."""
        ...

    def end_change(self) -> bool:
        """Destroys all master keys but the first; whether that is done now, and not left to an operator."""
        ...


class GivenMasters:
    """Master keys of 32 bytes from the settings, which only an operator can change."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)

    def keys(self) -> Sequence[bytes]:
        return self._keys

    def begin_change(self) -> None:
        if len(self._keys) == 1:
            raise Conflict(
                "give a new master key before the present one first; the present one goes when this is done",
                reason="MASTER_KEY_GIVEN",
            )

    def end_change(self) -> bool:
        return False


class MasterFile:
    """Master keys in a file, one a line in base64; made with one of its own when it is not there."""

    def __init__(self, path: Path, *, random: Random = os.urandom) -> None:
        self._path = path
        self._random = random
        if not path.exists():
            write_once(path, self._line())

    def keys(self) -> Sequence[bytes]:
        """Read each time: another process may have changed them."""
        return [master_key(line) for line in self._path.read_text().split()]

    def begin_change(self) -> None:
        if len(self.keys()) == 1:
            replace_file(self._path, self._line() + self._path.read_bytes())

    def end_change(self) -> bool:
        first, _, _ = self._path.read_bytes().partition(b"\n")
        replace_file(self._path, first + b"\n")
        return True

    def _line(self) -> bytes:
        return base64.b64encode(self._random(KEY_BYTES)) + b"\n"


def master_key_file(path: Path) -> bytes:
    """The first master key of a file, which is made when it is not there."""
    return MasterFile(path).keys()[0]


def master_key(text: str) -> bytes:
    """A master key from its base64 form; Invalid when it is not 32 bytes."""
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise Invalid(f"A master key is {KEY_BYTES} bytes in base64.", reason="MASTER_KEY")
    return key
