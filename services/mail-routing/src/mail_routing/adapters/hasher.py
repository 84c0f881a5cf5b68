"""Argon2id (RFC 9106) for app passwords, in threads: one hash takes some 50 ms and 64 MiB."""

import asyncio
import hashlib
import secrets
from collections import OrderedDict

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_AT_ONCE = 2
_REMEMBERED = 10_000


class Argon2Hasher:
    """`Hasher`. What was found to match is remembered in memory, so that a program that comes for each mail anew
    costs one hash; whether the password still holds is asked elsewhere, each time.
    """

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._key = secrets.token_bytes(32)
        self._matched: OrderedDict[bytes, None] = OrderedDict()

    async def hash(self, password: str) -> str:
        async with self._room:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, password: str, hashed: str) -> bool:
        proof = hashlib.blake2b(f"{hashed}\0{password}".encode(), key=self._key).digest()
        if proof in self._matched:
            return True
        async with self._room:
            found = await asyncio.to_thread(self._verify, password, hashed)
        if found:
            self._matched[proof] = None
            if len(self._matched) > _REMEMBERED:
                self._matched.popitem(last=False)
        return found

    def _verify(self, password: str, hashed: str) -> bool:
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False
