"""Passwords of links, hashed with scrypt (RFC 7914): 32 MiB and about a tenth of a second each."""

import asyncio
import hashlib
import hmac
import os
from typing import Final

_SALT: Final = 16
_COST: Final = {"n": 1 << 15, "r": 8, "p": 1, "maxmem": 64 << 20}
_AT_ONCE: Final = 2


class Scrypt:
    """The port `Passwords`: in threads, off the loop, and so few at once that they cannot fill the memory."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def hashed(self, password: str) -> bytes:
        salt = os.urandom(_SALT)
        return salt + await self._digest(password, salt)

    async def match(self, password: str, password_hash: bytes) -> bool:
        digest = await self._digest(password, password_hash[:_SALT])
        return hmac.compare_digest(digest, password_hash[_SALT:])

    async def _digest(self, password: str, salt: bytes) -> bytes:
        async with self._room:
            return await asyncio.to_thread(hashlib.scrypt, password.encode(), salt=salt, **_COST)
