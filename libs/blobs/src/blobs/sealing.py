"""How content becomes bytes that only its scope's key opens. Nothing here waits, reads or writes.

Content is cut into chunks of 256 KiB, and each is encrypted by itself with AES-256-GCM, so that it
streams in flat memory and a range costs only the chunks that it touches. The key is derived for
each content from the scope's data key, a random salt and the scope (HKDF, RFC 5869); the nonce of a
chunk is its index and whether it is the last one (the STREAM construction of Hoang, Reyhanitabar,
Rogaway and Vizar, 2015). So no chunk can be changed, left out, moved, or taken from elsewhere. The
header, under the same key, vouches for name, size and hash, and so for the number of chunks.

    header: magic, version of the data key, salt, size, SHA-256 of the content, tag
    chunk:  ciphertext and tag, 16 bytes longer than its part of the content
"""

import hashlib
import struct
from dataclasses import dataclass
from typing import Final

from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from errors import RossioError

from blobs.keyring import KEY_BYTES, ScopeKeys

CHUNK: Final = 256 << 10
"""Bytes of content in a chunk; the last one may be shorter, and of no content it is empty."""
TAG: Final = 16
SEALED_CHUNK: Final = CHUNK + TAG

_MAGIC: Final = b"RSB1"
_HEADER: Final = struct.Struct(f">4sI{KEY_BYTES}sQ32s{TAG}s")
HEADER: Final = _HEADER.size
_NONCE: Final = struct.Struct(">IQ")
_INNER, _LAST, _HEAD = 0, 1, 2


class Damaged(RossioError):
    """The stored content is not what was put there: it was changed, cut or mixed up."""

    default_reason = "CONTENT_DAMAGED"


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the chunks; `size` in bytes of content."""

    key_version: int
    salt: bytes
    size: int
    sha256: bytes
    tag: bytes

    def packed(self) -> bytes:
        return _HEADER.pack(_MAGIC, self.key_version, self.salt, self.size, self.sha256, self.tag)

    @classmethod
    def unpacked(cls, packed: bytes) -> "Header":
        if len(packed) != HEADER or packed[: len(_MAGIC)] != _MAGIC:
            raise Damaged("The stored content has no header.")
        _, *fields = _HEADER.unpack(packed)
        return cls(*fields)

    @property
    def chunks(self) -> int:
        return max(1, -(-self.size // CHUNK))


class Sealer:
    """Seals and opens the chunks of one content."""

    def __init__(self, scope: str, data_key: bytes, salt: bytes) -> None:
        self._scope = scope.encode()
        kdf = HKDF(SHA256(), KEY_BYTES, salt=salt, info=b"rossio blob 1 " + self._scope)
        self._cipher = AESGCM(kdf.derive(data_key))

    def seal(self, index: int, content: bytes | memoryview, *, last: bool) -> bytes:
        return self._cipher.encrypt(_NONCE.pack(_LAST if last else _INNER, index), content, self._scope)

    def open(self, index: int, sealed: bytes, *, last: bool) -> bytes:
        """The content of a chunk; Damaged unless it is this one, of this content."""
        return self._decrypt(_NONCE.pack(_LAST if last else _INNER, index), sealed, self._scope)

    def vouch(self, name: str, size: int, sha256: bytes) -> bytes:
        """The tag of a header."""
        return self._cipher.encrypt(_NONCE.pack(_HEAD, 0), b"", self._said(name, size, sha256))

    def check(self, name: str, header: Header) -> None:
        """Damaged unless the header is the one of the content of that name."""
        self._decrypt(_NONCE.pack(_HEAD, 0), header.tag, self._said(name, header.size, header.sha256))

    def _said(self, name: str, size: int, sha256: bytes) -> bytes:
        return b"|".join((self._scope, name.encode(), str(size).encode(), sha256))

    def _decrypt(self, nonce: bytes, sealed: bytes, said: bytes) -> bytes:
        try:
            return self._cipher.decrypt(nonce, sealed, said)
        except InvalidTag:
            raise Damaged("The stored content is not what was put there.") from None


class Intake:
    """Takes content in pieces of any size and gives it back as sealed chunks."""

    def __init__(self, scope: str, keys: ScopeKeys, salt: bytes) -> None:
        self._sealer = Sealer(scope, keys.data[keys.current], salt)
        self._key_version = keys.current
        self._salt = salt
        self._pending = bytearray()
        self._count = 0
        self._size = 0
        self._sha256 = hashlib.sha256()
        self._name = blake3(key=keys.address)

    def feed(self, piece: bytes) -> list[bytes]:
        """The chunks that are full now; the rest waits, since the last chunk is sealed as such."""
        self._sha256.update(piece)
        self._name.update(piece)
        self._size += len(piece)
        self._pending += piece
        sealed = []
        taken = 0
        with memoryview(self._pending) as pending:
            while len(pending) - taken > CHUNK:
                sealed.append(self._seal(pending[taken : taken + CHUNK], last=False))
                taken += CHUNK
        del self._pending[:taken]
        return sealed

    def finish(self) -> bytes:
        """The last chunk."""
        return self._seal(bytes(self._pending), last=True)

    @property
    def name(self) -> str:
        """The name of the content, the same for the same content of the scope alone; 64 characters."""
        return self._name.hexdigest()

    def header(self) -> Header:
        sha256 = self._sha256.digest()
        tag = self._sealer.vouch(self.name, self._size, sha256)
        return Header(self._key_version, self._salt, self._size, sha256, tag)

    def _seal(self, content: bytes | memoryview, *, last: bool) -> bytes:
        sealed = self._sealer.seal(self._count, content, last=last)
        self._count += 1
        return sealed
