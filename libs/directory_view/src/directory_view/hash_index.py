"""A string to numbers, in twelve bytes a slot."""

from array import array
from collections.abc import Iterator
from typing import Final

_EMPTY: Final = -1
_GONE: Final = -2
_SMALLEST: Final = 64


class HashIndex:
    """Numbers by a key, of which only the hash is kept: whoever looks up checks the candidates.

    Open addressing with linear probing; a key with several numbers has as many slots. At 126,683 people
    with two addresses each this is 6 MB, where a dict with its strings is 40 MB.
    """

    __slots__ = ("_filled", "_hashes", "_mask", "_numbers", "_size")

    def __init__(self) -> None:
        self._size = 0
        self._lay_out(_SMALLEST)

    def __len__(self) -> int:
        return self._size

    def __contains__(self, key: str) -> bool:
        """Whether there are candidates for the key."""
        hashes, numbers, mask = self._hashes, self._numbers, self._mask
        hashed = hash(key)
        slot = hashed & mask
        while (number := numbers[slot]) != _EMPTY:
            if hashes[slot] == hashed and number >= 0:
                return True
            slot = (slot + 1) & mask
        return False

    def add(self, key: str, number: int) -> None:
        """Adds `number`, from 0 to 2**31 - 1, to those of the key; it must not be among them yet."""
        if self._filled * 3 >= self._mask * 2:
            self._make_room()
        numbers, mask = self._numbers, self._mask
        hashed = hash(key)
        slot = hashed & mask
        while numbers[slot] != _EMPTY:
            slot = (slot + 1) & mask
        self._hashes[slot] = hashed
        numbers[slot] = number
        self._filled += 1
        self._size += 1

    def remove(self, key: str, number: int) -> None:
        """Removes `number` from those of the key, if it is one of them."""
        hashed = hash(key)
        slot = hashed & self._mask
        while (held := self._numbers[slot]) != _EMPTY:
            if held == number and self._hashes[slot] == hashed:
                self._numbers[slot] = _GONE
                self._size -= 1
                return
            slot = (slot + 1) & self._mask

    def candidates(self, key: str) -> Iterator[int]:
        """The numbers of the key, in no order, and now and then one of another key."""
        hashed = hash(key)
        slot = hashed & self._mask
        while (number := self._numbers[slot]) != _EMPTY:
            if number >= 0 and self._hashes[slot] == hashed:
                yield number
            slot = (slot + 1) & self._mask

    def _lay_out(self, slots: int) -> None:
        self._hashes = array("q", bytes(8 * slots))
        self._numbers = array("i", [_EMPTY]) * slots
        self._mask = slots - 1
        self._filled = 0

    def _make_room(self) -> None:
        """Twice the slots, or as many when enough of them held what is gone."""
        old = zip(self._hashes, self._numbers, strict=True)
        slots = len(self._numbers)
        self._lay_out(slots * 2 if self._size * 4 > slots else slots)
        hashes, numbers, mask = self._hashes, self._numbers, self._mask
        for hashed, number in old:
            if number >= 0:
                slot = hashed & mask
                while numbers[slot] != _EMPTY:
                    slot = (slot + 1) & mask
                hashes[slot] = hashed
                numbers[slot] = number
        self._filled = self._size
