"""Messages encrypted under keys of their own, which go with them.

Each message has a key (AES-256-GCM), which stands before it, wrapped by the master key, in the document of its
notification (ADR 25). What ends a message takes both out in the write that notes the end. Since no key lies in the
store in clear, its journals and free pages hold nothing that would open anything without the master key either.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from store import Collection, Index, Insert, known

from notification.application.ports import Letter
from notification.domain.texts import Message
from notification.domain.vocabulary import Channel

_NONCE: Final = 12
_KEY_BITS: Final = 256
_WRAPPED: Final = _NONCE + _KEY_BITS // 8 + 16
_WITH_KEY: Final = b"rossio-1"
"""Before a message that brings its key; earlier releases kept the keys in a collection, which still is read."""

INDEXES: Final = (Index(["until"], expire_after=timedelta(0)),)


class KeyVault:
    """The vault; `random` gives so many random bytes."""

    def __init__(self, keys: Collection, master: bytes, *, random: Callable[[int], bytes] = os.urandom) -> None:
        self._keys = keys
        self._master = AESGCM(master)
        self._random = random

    def seal(self, letters: Sequence[Letter]) -> list[bytes]:
        return [self._sealed(each.name, json.dumps(asdict(each.message)).encode()) for each in letters]

    async def open(self, channel: Channel, sealed: Mapping[str, bytes]) -> dict[str, Message]:
        names = {Letter.named(notification_id, channel): notification_id for notification_id in sealed}
        contents = {name: sealed[notification_id] for name, notification_id in names.items()}
        opened = {name: self._opened(name, each) for name, each in contents.items() if each.startswith(_WITH_KEY)}
        if without := {name: each for name, each in contents.items() if name not in opened}:
            opened |= await self.open_bytes(without)
        return {names[name]: known(Message, json.loads(clear)) for name, clear in opened.items()}

    async def seal_bytes(self, contents: Sequence[tuple[str, bytes, datetime]]) -> list[bytes]:
        """The same for any content, with keys kept apart, each until its time: (name, content, until)."""
        fresh = [AESGCM.generate_key(_KEY_BITS) for _ in contents]
        inserts = [
            Insert({"_id": name, "wrapped": self.wrap(name, key), "until": until})
            for (name, _, until), key in zip(contents, fresh, strict=True)
        ]
        result = await self._keys.bulk(inserts)
        keys = dict(zip((name for name, _, _ in contents), map(AESGCM, fresh), strict=True))
        if result.refused:
            # A repeated request finds the key of the first: whichever of their documents is kept can be opened.
            keys |= await self._keys_of([contents[index][0] for index in result.refused])
        return [_encrypt(keys[name], self._random(_NONCE), clear, name) for name, clear, _ in contents]

    async def open_bytes(self, sealed: Mapping[str, bytes]) -> dict[str, bytes]:
        """By name; what has no key any more is left out."""
        keys = await self._keys_of(list(sealed))
        return {name: _decrypt(key, sealed[name], name) for name, key in keys.items()}

    def wrap(self, name: str, clear: bytes) -> bytes:
        """Content under the master key itself, for what is kept until it is removed."""
        return _encrypt(self._master, self._random(_NONCE), clear, name)

    def unwrap(self, name: str, wrapped: bytes) -> bytes:
        return _decrypt(self._master, wrapped, name)

    def _sealed(self, name: str, clear: bytes) -> bytes:
        key = AESGCM.generate_key(_KEY_BITS)
        return _WITH_KEY + self.wrap(name, key) + _encrypt(AESGCM(key), self._random(_NONCE), clear, name)

    def _opened(self, name: str, sealed: bytes) -> bytes:
        begin = len(_WITH_KEY) + _WRAPPED
        return _decrypt(AESGCM(self.unwrap(name, sealed[len(_WITH_KEY) : begin])), sealed[begin:], name)

    async def _keys_of(self, names: Sequence[str]) -> dict[str, AESGCM]:
        """The keys that are there, by name."""
        found = self._keys.find({"_id": {"$in": list(names)}})
        return {each["_id"]: AESGCM(_decrypt(self._master, each["wrapped"], each["_id"])) async for each in found}


def _encrypt(key: AESGCM, nonce: bytes, clear: bytes, name: str) -> bytes:
    return nonce + key.encrypt(nonce, clear, name.encode())


def _decrypt(key: AESGCM, sealed: bytes, name: str) -> bytes:
    return key.decrypt(sealed[:_NONCE], sealed[_NONCE:], name.encode())
