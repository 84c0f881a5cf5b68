"""Keys: a master key wraps the keys of each scope, which are made when the scope is first used.

So another master key means wrapping a few keys anew and no content, a new data key of a scope holds
for what comes after it, and a scope whose wrapped keys are destroyed can never be read again.
"""

import asyncio
import base64
import binascii
import hashlib
import os
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from errors import Conflict, Invalid, Transient
from store import Collection

KEY_BYTES: Final = 32

_MAGIC: Final = b"RSK1"
_MASTER_ID: Final = 8
_NONCE: Final = 12
_DATA_KEY: Final = struct.Struct(f">I{KEY_BYTES}s")

Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class ScopeKeys:
    """The keys of one scope.

    `address` names content and never changes; `data` holds the keys that encrypt it, by version,
    and `current` is the version that new content is encrypted with.
    """

    address: bytes
    data: Mapping[int, bytes]
    current: int

    @classmethod
    def new(cls, random: Random) -> "ScopeKeys":
        return cls(random(KEY_BYTES), {1: random(KEY_BYTES)}, 1)

    def packed(self) -> bytes:
        return self.address + b"".join(_DATA_KEY.pack(version, self.data[version]) for version in sorted(self.data))

    @classmethod
    def unpacked(cls, packed: bytes) -> "ScopeKeys":
        data = dict(_DATA_KEY.iter_unpack(packed[KEY_BYTES:]))
        return cls(packed[:KEY_BYTES], data, max(data))


class Keyring(Protocol):
    """Knows the keys of scopes."""

    async def keys(self, scope: str) -> ScopeKeys:
        """The keys of the scope, made at its first use."""
        ...


class Vault(Protocol):
    """Keeps the wrapped keys of scopes, durably."""

    async def load(self, scope: str) -> bytes | None: ...

    async def create(self, scope: str, wrapped: bytes) -> None:
        """Keeps the first ones of a scope, and leaves those of another process that was faster."""
        ...


class WrappedKeyring:
    """Keys of scopes in a vault, wrapped (AES-256-GCM) by master keys of 32 bytes.

    The first master key wraps new ones; each unwraps what it has wrapped.
    """

    def __init__(self, masters: Sequence[bytes], vault: Vault, *, random: Random = os.urandom) -> None:
        self._masters = {_master_id(master): AESGCM(master) for master in masters}
        self._wrapping = _master_id(masters[0])
        self._vault = vault
        self._random = random
        self._known: dict[str, ScopeKeys] = {}

    async def keys(self, scope: str) -> ScopeKeys:
        """Transient MASTER_KEY_UNKNOWN when they are there and none of the master keys opens them."""
        known = self._known.get(scope)
        if known is None:
            wrapped = await self._vault.load(scope)
            if wrapped is None:
                await self._vault.create(scope, self._wrap(scope, ScopeKeys.new(self._random)))
                wrapped = await self._vault.load(scope)
            known = self._known[scope] = self._unwrap(scope, wrapped or b"")
        return known

    def _wrap(self, scope: str, keys: ScopeKeys) -> bytes:
        nonce = self._random(_NONCE)
        sealed = self._masters[self._wrapping].encrypt(nonce, keys.packed(), _MAGIC + scope.encode())
        return _MAGIC + self._wrapping + nonce + sealed

    def _unwrap(self, scope: str, wrapped: bytes) -> ScopeKeys:
        magic, rest = wrapped[: len(_MAGIC)], wrapped[len(_MAGIC) :]
        master = self._masters.get(rest[:_MASTER_ID])
        nonce, sealed = rest[_MASTER_ID : _MASTER_ID + _NONCE], rest[_MASTER_ID + _NONCE :]
        if magic != _MAGIC or master is None:
            raise Transient(
                "The keys of a scope are wrapped by a master key that was not given.", reason="MASTER_KEY_UNKNOWN"
            )
        try:
            return ScopeKeys.unpacked(master.decrypt(nonce, sealed, _MAGIC + scope.encode()))
        except InvalidTag:
            raise Transient("The wrapped keys of a scope are damaged.", reason="SCOPE_KEYS_DAMAGED") from None


class FileVault:
    """Wrapped keys as files of a folder, one a scope."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def load(self, scope: str) -> bytes | None:
        path = self._path(scope)
        return path.read_bytes() if path.exists() else None

    async def create(self, scope: str, wrapped: bytes) -> None:
        await asyncio.to_thread(write_once, self._path(scope), wrapped)

    def _path(self, scope: str) -> Path:
        return self._folder / f"{scope}.key"


class StoreVault:
    """Wrapped keys as documents of a collection, one a scope."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def load(self, scope: str) -> bytes | None:
        document = await self._collection.get(scope)
        return None if document is None else bytes(document["wrapped"])

    async def create(self, scope: str, wrapped: bytes) -> None:
        try:
            await self._collection.insert({"_id": scope, "wrapped": wrapped})
        except Conflict:
            return


def master_key(text: str) -> bytes:
    """A master key from its base64 form; Invalid when it is not 32 bytes."""
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise Invalid(f"A master key is {KEY_BYTES} bytes in base64.", reason="MASTER_KEY")
    return key


def master_key_file(path: Path, *, random: Random = os.urandom) -> bytes:
    """The master key in a file that only its owner can read, made when it is not there."""
    if not path.exists():
        write_once(path, base64.b64encode(random(KEY_BYTES)) + b"\n")
    return master_key(path.read_text().strip())


def write_once(path: Path, content: bytes) -> None:
    """Writes a small file durably and whole, unless there is one of that name."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(file, content)
        os.fsync(file)
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        os.close(file)
        draft.unlink()
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _master_id(master: bytes) -> bytes:
    return hashlib.sha256(b"rossio master key" + master).digest()[:_MASTER_ID]
