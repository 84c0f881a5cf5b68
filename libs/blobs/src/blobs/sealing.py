"""How content becomes bytes that only its scope's key opens. Nothing here waits, reads or writes.

Each content has a key of its own, which lies in its header, wrapped by a data key of its scope: so
another data key means wrapping headers anew, and no content. Content is cut into chunks of 256 KiB,
and each is encrypted by itself with AES-256-GCM, so that it streams in flat memory and a range costs
only the chunks that it touches. The associated data of a chunk are its scope, its index and whether
it is the last one (after the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizar, 2015),
so no chunk can be changed, left out, moved, or taken from elsewhere. Nonces are random, since an
upload that was broken off may seal other content under the same index. The header, under the key
of the content, vouches for name, size and hash, and so for the number of chunks. The name is a hash
of the hash of the content, keyed for the scope: who has no key learns nothing by trying contents.

    header: magic, version of the data key, wrapped key, size, SHA-256 of the content, tag
    chunk:  nonce, ciphertext and tag, 28 bytes longer than its part of the content
"""

import hashlib
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from errors import RossioError

from blobs.keys import KEY_BYTES, Random, ScopeKeys

CHUNK: Final = 256 << 10
"""Bytes of content in a chunk; the last one may be shorter, and of no content it is empty."""
NONCE: Final = 12
TAG: Final = 16
EMPTY: Final = NONCE + TAG
"""Bytes of a sealed chunk without content."""
SEALED_CHUNK: Final = CHUNK + EMPTY

_MAGIC: Final = b"RSB2"
_NAMING: Final = b"rossio.content"
_WRAPPED: Final = NONCE + KEY_BYTES + TAG
_HEADER: Final = struct.Struct(f">4sI{_WRAPPED}sQ32s{NONCE + TAG}s")
HEADER: Final = _HEADER.size
_PLACE: Final = struct.Struct(">BQ")
_INNER, _LAST, _TAIL = 0, 1, 2
_PIECES: Final = 1024
"""So many of them are made one: each costs memory, however small it is."""

Sealed = bytes | bytearray


class Damaged(RossioError):
    """The stored content is not what was put there: it was changed, cut or mixed up."""

    default_reason = "CONTENT_DAMAGED"


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the chunks; `size` in bytes of content. One of a draft says neither size nor hash."""

    key_version: int
    wrapped: bytes
    size: int = 0
    sha256: bytes = bytes(32)
    tag: bytes = bytes(NONCE + TAG)

    def packed(self) -> bytes:
        return _HEADER.pack(_MAGIC, self.key_version, self.wrapped, self.size, self.sha256, self.tag)

    @classmethod
    def unpacked(cls, packed: bytes) -> "Header":
        if len(packed) != HEADER or packed[: len(_MAGIC)] != _MAGIC:
            raise Damaged("The stored content has no header.")
        _, *fields = _HEADER.unpack(packed)
        return cls(*fields)

    @property
    def chunks(self) -> int:
        return max(1, -(-self.size // CHUNK))

    @classmethod
    def new(cls, scope: str, keys: ScopeKeys, random: Random) -> "Header":
        """The header of a draft, with a key that nothing else has."""
        return cls(keys.current, _wrap(scope, keys, random(KEY_BYTES), random))

    def rewrapped(self, scope: str, keys: ScopeKeys, random: Random) -> "Header":
        """The same, its key wrapped by the scope's current data key."""
        return replace(self, key_version=keys.current, wrapped=_wrap(scope, keys, self.key(scope, keys), random))

    def key(self, scope: str, keys: ScopeKeys) -> bytes:
        """The key of the content; Damaged when none of the scope's data keys has wrapped it."""
        if self.key_version not in keys.data:
            raise Damaged("The stored content names a key that there is not.")
        data_key = AESGCM(keys.data[self.key_version].key)
        return _decrypted(data_key, self.wrapped, b"rossio content key " + scope.encode())


class Sealer:
    """Seals and opens the chunks of one content."""

    def __init__(self, scope: str, key: bytes, random: Random) -> None:
        self._scope = scope.encode()
        self._cipher = AESGCM(key)
        self._random = random

    def seal(self, index: int, content: bytes | memoryview, *, last: bool = False, tail: bool = False) -> Sealed:
        """A chunk; a tail is one that is not full yet and not the last one either."""
        return _encrypted(
            self._cipher, self._random(NONCE), content, self._place(_LAST if last else _TAIL if tail else _INNER, index)
        )

    def open(self, index: int, sealed: Sealed, *, last: bool = False, tail: bool = False) -> bytes:
        """The content of a chunk; Damaged unless it is this one, of this content."""
        return _decrypted(self._cipher, sealed, self._place(_LAST if last else _TAIL if tail else _INNER, index))

    def vouch(self, name: str, size: int, sha256: bytes) -> bytes:
        """The tag of a header."""
        return bytes(_encrypted(self._cipher, self._random(NONCE), b"", self._said(name, size, sha256)))

    def check(self, name: str, header: Header) -> None:
        """Damaged unless the header is the one of the content of that name."""
        _decrypted(self._cipher, header.tag, self._said(name, header.size, header.sha256))

    def _place(self, kind: int, index: int) -> bytes:
        return _PLACE.pack(kind, index) + self._scope

    def _said(self, name: str, size: int, sha256: bytes) -> bytes:
        return b"|".join((self._scope, name.encode(), str(size).encode(), sha256))


class Intake:
    """Takes content in pieces of any size and gives it back as sealed chunks.

    Taking a piece is quick, and copies it once; hashing and sealing are not, and let other threads run. What `due`
    gave is hashed, and sealed, in order, one after the other, while further pieces may be taken: two threads may do
    the two at once.
    """

    def __init__(self, sealer: Sealer, keys: ScopeKeys) -> None:
        self._sealer = sealer
        self._address = keys.address
        self._pieces: list[bytes] = []
        self._waits = 0
        self.count = 0
        self.size = 0
        self._sha256 = hashlib.sha256()

    def copy(self) -> Self:
        """The same state, which goes on by itself."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._pieces, twin._sha256 = self._pieces[:], self._sha256.copy()
        return twin

    def take(self, piece: bytes) -> int:
        """How many bytes wait to be sealed now."""
        self.size += len(piece)
        self._waits += len(piece)
        self._pieces.append(piece)
        if len(self._pieces) == _PIECES:
            self._pieces = [self._waiting()]
        return self._waits

    def due(self) -> memoryview:
        """The full chunks among what waits; the rest stays, since the last chunk is sealed as such."""
        full = max(0, self._waits - 1) // CHUNK * CHUNK
        waiting = memoryview(self._waiting())
        self._pieces, self._waits = [bytes(waiting[full:])], self._waits - full
        return waiting[:full]

    def hash(self, due: memoryview) -> None:
        self._sha256.update(due)

    def seal(self, due: memoryview) -> Iterator[Sealed]:
        for at in range(0, len(due), CHUNK):
            yield self._sealer.seal(self.count, due[at : at + CHUNK])
            self.count += 1

    def again(self, chunks: int, content: bytes) -> None:
        """Takes what an earlier intake of the same content has sealed already: one more chunk, or its tail."""
        if chunks:
            self.size += len(content)
            self.count += chunks
            self._sha256.update(content)
        else:
            self.take(content)

    def tail(self) -> Sealed:
        """What waits when nothing is due, sealed so that an upload can go on from it."""
        return self._sealer.seal(self.count, self._waiting(), tail=True)

    def finish(self) -> Sealed:
        """The last chunk, which is all that waits when nothing is due."""
        return self._sealer.seal(self.count, self._waiting(), last=True)

    def _waiting(self) -> bytes:
        return b"".join(self._pieces)

    @property
    def name(self) -> str:
        """The name of the content, the same for the same content of the scope alone; 64 characters."""
        return hashlib.blake2b(self.sha256, key=self._address, digest_size=32, person=_NAMING).hexdigest()

    @property
    def sha256(self) -> bytes:
        whole = self._sha256.copy()
        whole.update(self._waiting())
        return whole.digest()

    def header(self, draft: Header) -> Header:
        """The header of the whole content, from that of its draft."""
        tag = self._sealer.vouch(self.name, self.size, self.sha256)
        return replace(draft, size=self.size, sha256=self.sha256, tag=tag)


def _wrap(scope: str, keys: ScopeKeys, key: bytes, random: Callable[[int], bytes]) -> bytes:
    data_key = AESGCM(keys.data[keys.current].key)
    return bytes(_encrypted(data_key, random(NONCE), key, b"rossio content key " + scope.encode()))


def _encrypted(cipher: AESGCM, nonce: bytes, content: bytes | memoryview, said: bytes) -> Sealed:
    """Nonce, ciphertext and tag, without copying what may be a whole chunk."""
    sealed = bytearray(NONCE + len(content) + TAG)
    sealed[:NONCE] = nonce
    cipher.encrypt_into(nonce, content, said, memoryview(sealed)[NONCE:])
    return sealed


def _decrypted(cipher: AESGCM, sealed: Sealed, said: bytes) -> bytes:
    if len(sealed) < NONCE + TAG:
        raise Damaged("The stored content ends too early.")
    try:
        return cipher.decrypt(bytes(sealed[:NONCE]), memoryview(sealed)[NONCE:], said)
    except InvalidTag:
        raise Damaged("The stored content is not what was put there.") from None
