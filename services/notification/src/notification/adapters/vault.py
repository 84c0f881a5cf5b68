"""Messages encrypted under keys of their own, which are kept apart and destroyed.

Each message has a key (AES-256-GCM) that is stored wrapped by the master key, in a collection of its own. When
the key is deleted, nothing that is left opens the message; and since no key lies in the store in clear, the
journals and free pages of the store hold nothing that would open it without the master key either.
"""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from store import Collection, Index

from notification.domain.texts import Message
from notification.domain.vocabulary import Channel

_NONCE: Final = 12
_KEY_BITS: Final = 256

INDEXES: Final = (Index(["until"], expire_after=timedelta(0)),)


class KeyVault:
    """The vault; `random` gives so many random bytes."""

    def __init__(self, keys: Collection, master: bytes, *, random: Callable[[int], bytes] = os.urandom) -> None:
        self._keys = keys
        self._master = AESGCM(master)
        self._random = random

    async def seal(self, notification_id: str, channel: Channel, message: Message, until: datetime) -> bytes:
        name = _name(notification_id, channel)
        wrapped = _encrypt(self._master, self._random(_NONCE), AESGCM.generate_key(_KEY_BITS), name)
        # A repeated request finds the key of the first: whichever of their documents is kept can be opened.
        await self._keys.update(name, {"$setOnInsert": {"wrapped": wrapped, "until": until}}, upsert=True)
        key = await self._key(name)
        assert key is not None, "it was there a moment ago, and nobody knew of it"
        return _encrypt(key, self._random(_NONCE), json.dumps(asdict(message)).encode(), name)

    async def open(self, notification_id: str, channel: Channel, sealed: bytes) -> Message | None:
        name = _name(notification_id, channel)
        key = await self._key(name)
        return None if key is None else Message(**json.loads(_decrypt(key, sealed, name)))

    async def destroy(self, notification_id: str, channel: Channel) -> None:
        await self._keys.delete(_name(notification_id, channel))

    async def _key(self, name: str) -> AESGCM | None:
        found = await self._keys.get(name)
        return None if found is None else AESGCM(_decrypt(self._master, found["wrapped"], name))


def _name(notification_id: str, channel: Channel) -> str:
    return f"{notification_id}.{channel}"


def _encrypt(key: AESGCM, nonce: bytes, clear: bytes, name: str) -> bytes:
    return nonce + key.encrypt(nonce, clear, name.encode())


def _decrypt(key: AESGCM, sealed: bytes, name: str) -> bytes:
    return key.decrypt(sealed[:_NONCE], sealed[_NONCE:], name.encode())
