"""The keys of a scope: what they are, how they are packed, and how a master key wraps them. Pure."""

import hashlib
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from errors import Transient

KEY_BYTES: Final = 32

_MAGIC: Final = b"RSK2"
_MASTER_ID: Final = 8
_NONCE: Final = 12
_DATA_KEY: Final = struct.Struct(f">IQ{KEY_BYTES}s")

Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class DataKey:
    """Wraps the keys of contents; `since` is when it became the one for new content."""

    key: bytes
    since: datetime


@dataclass(frozen=True, slots=True)
class ScopeKeys:
    """The keys of one scope.

    `address` names content and never changes; `data` holds the keys that wrap those of contents, by
    version, and `current` is the version that new content is wrapped with.
    """

    address: bytes
    data: Mapping[int, DataKey]

    @property
    def current(self) -> int:
        return max(self.data)

    @classmethod
    def new(cls, random: Random, now: datetime) -> "ScopeKeys":
        return cls(random(KEY_BYTES), {1: DataKey(random(KEY_BYTES), now)})

    def renewed(self, random: Random, now: datetime) -> "ScopeKeys":
        """With one more data key, for new content."""
        return replace(self, data={**self.data, self.current + 1: DataKey(random(KEY_BYTES), now)})

    def without_old(self) -> "ScopeKeys":
        """With the current data key alone."""
        return replace(self, data={self.current: self.data[self.current]})

    def derived(self, purpose: str) -> bytes:
        """A key for a purpose of its own, from which no other one can be told; data keys come and go without it."""
        made = hashlib.blake2b(purpose.encode(), key=self.address, digest_size=KEY_BYTES, person=b"rossio.derived")
        return made.digest()

    def packed(self) -> bytes:
        return self.address + b"".join(
            _DATA_KEY.pack(version, round(key.since.timestamp() * 1000), key.key)
            for version, key in sorted(self.data.items())
        )

    @classmethod
    def unpacked(cls, packed: bytes) -> "ScopeKeys":
        data = {
            version: DataKey(key, datetime.fromtimestamp(since / 1000, UTC))
            for version, since, key in _DATA_KEY.iter_unpack(packed[KEY_BYTES:])
        }
        return cls(packed[:KEY_BYTES], data)


class Wrapping:
    """Wraps the keys of scopes with the first of some master keys, and unwraps what any of them has wrapped."""

    def __init__(self, masters: Sequence[bytes], random: Random) -> None:
        self._masters = {master_id(master): AESGCM(master) for master in masters}
        self._random = random
        self.current = master_id(masters[0])

    def wrap(self, scope: str, keys: ScopeKeys) -> bytes:
        nonce = self._random(_NONCE)
        sealed = self._masters[self.current].encrypt(nonce, keys.packed(), _MAGIC + scope.encode())
        return _MAGIC + self.current + nonce + sealed

    def unwrap(self, scope: str, wrapped: bytes) -> ScopeKeys:
        """Transient MASTER_KEY_UNKNOWN when none of the master keys opens them, SCOPE_KEYS_DAMAGED."""
        rest = wrapped[len(_MAGIC) :]
        master = self._masters.get(rest[:_MASTER_ID])
        nonce, sealed = rest[_MASTER_ID : _MASTER_ID + _NONCE], rest[_MASTER_ID + _NONCE :]
        if wrapped[: len(_MAGIC)] != _MAGIC or master is None:
            raise Transient(
                "The keys of a scope are wrapped by a master key that was not given.", reason="MASTER_KEY_UNKNOWN"
            )
        try:
            return ScopeKeys.unpacked(master.decrypt(nonce, sealed, _MAGIC + scope.encode()))
        except InvalidTag:
            raise Transient("The wrapped keys of a scope are damaged.", reason="SCOPE_KEYS_DAMAGED") from None

    def is_current(self, wrapped: bytes) -> bool:
        """Whether the first master key has wrapped these."""
        return wrapped[len(_MAGIC) :].startswith(self.current)


def master_id(master: bytes) -> bytes:
    """A name of the master key that tells nothing of it."""
    return hashlib.sha256(b"rossio master key" + master).digest()[:_MASTER_ID]
