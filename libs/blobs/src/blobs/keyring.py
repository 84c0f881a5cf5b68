"""Keys: a master key wraps the keys of each scope, which are made when the scope is first used.

So another master key means wrapping a few keys anew and no content, another data key of a scope means
wrapping the keys of its contents anew, and a scope whose keys are destroyed can never be read again.
"""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

import telemetry
from errors import Conflict, NotFound

from blobs.keys import Random, ScopeKeys, Wrapping
from blobs.masters import Masters
from blobs.vault import DESTROYED, Vault

_REMEMBERED_SECONDS: Final = 5.0
_ATTEMPTS: Final = 8


@dataclass(frozen=True, slots=True)
class Shredding:
    """How the keys of a scope ended.

    Their wrapped form may lie in a backup; `retired` names the master key that had wrapped it, and
    `wrapping` the one that the keys of all other scopes are wrapped by now. When `final` is False the
    retired one was given from outside, and nothing is certain before whoever gave it destroys it.
    """

    scope: str
    retired: str
    wrapping: str
    final: bool


class Keyring(Protocol):
    """Knows the keys of scopes."""

    async def keys(self, scope: str) -> ScopeKeys:
        """The keys of the scope, made at its first use; NotFound SHREDDED when they are destroyed."""
        ...

    async def renew(self, scope: str) -> ScopeKeys:
        """Has one more data key, for new content."""
        ...

    async def drop_old(self, scope: str, seen: ScopeKeys) -> None:
        """Destroys all data keys but the current one; Conflict when these are no longer the keys."""
        ...

    async def shred(self, scope: str) -> Shredding:
        """Destroys the keys of a scope for good; may be repeated."""
        ...


class WrappedKeyring:
    """Keys of scopes in a vault, wrapped (AES-256-GCM) by master keys of 32 bytes.

    What other processes change is known here after five seconds at most.
    """

    def __init__(
        self,
        masters: Masters,
        vault: Vault,
        *,
        random: Random = os.urandom,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._masters = masters
        self._vault = vault
        self._random = random
        self._now = now
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, ScopeKeys]] = {}

    async def keys(self, scope: str) -> ScopeKeys:
        """Transient MASTER_KEY_UNKNOWN when they are there and none of the master keys opens them."""
        until, known = self._known.get(scope, (0.0, None))
        if known is not None and self._monotonic() < until:
            return known
        _, keys = await self._loaded(scope)
        return keys

    async def renew(self, scope: str) -> ScopeKeys:
        return await self._changed(scope, lambda keys: keys.renewed(self._random, self._now()))

    async def drop_old(self, scope: str, seen: ScopeKeys) -> None:
        def dropping(keys: ScopeKeys) -> ScopeKeys:
            if keys != seen:
                raise Conflict("The keys of the scope were changed meanwhile.", reason="STALE")
            return keys.without_old()

        await self._changed(scope, dropping)

    async def shred(self, scope: str) -> Shredding:
        """First the scope's own keys go, then the master key that could open them in a backup."""
        self._masters.begin_change()
        telemetry.points.reached("blobs.shred.begun")
        wrapping = Wrapping(self._masters.keys(), self._random)
        retired = self._masters.keys()[-1]
        await self._destroy(scope)
        telemetry.points.reached("blobs.shred.destroyed")
        for other in await self._vault.scopes():
            await self._rewrap(other, wrapping)
        telemetry.points.reached("blobs.shred.rewrapped")
        final = self._masters.end_change()
        return Shredding(scope, Wrapping([retired], self._random).current.hex(), wrapping.current.hex(), final)

    async def _loaded(self, scope: str) -> tuple[bytes, ScopeKeys]:
        masters = self._masters.keys()
        wrapping = Wrapping(masters, self._random)
        wrapped = await self._vault.load(scope)
        if wrapped is None:
            await self._vault.create(scope, wrapping.wrap(scope, ScopeKeys.new(self._random, self._now())))
            wrapped = await self._followed(scope, masters)
        if wrapped == DESTROYED:
            self._known.pop(scope, None)
            raise NotFound("The keys of this content are destroyed.", reason="SHREDDED")
        keys = wrapping.unwrap(scope, wrapped)
        self._known[scope] = self._monotonic() + _REMEMBERED_SECONDS, keys
        return wrapped, keys

    async def _changed(self, scope: str, change: Callable[[ScopeKeys], ScopeKeys]) -> ScopeKeys:
        for _ in range(_ATTEMPTS):
            masters = self._masters.keys()
            wrapped, keys = await self._loaded(scope)
            if await self._vault.replace(scope, wrapped, Wrapping(masters, self._random).wrap(scope, change(keys))):
                await self._followed(scope, masters)
                return (await self._loaded(scope))[1]
        raise Conflict("Others change the keys of the scope all the time.", reason="BUSY")

    async def _followed(self, scope: str, before: Sequence[bytes]) -> bytes:
        """What lies in the vault after a write, wrapped by a newer master key if one came since `before`."""
        await self._rewrap(scope, Wrapping([*self._masters.keys(), *before], self._random))
        return await self._vault.load(scope) or DESTROYED

    async def _destroy(self, scope: str) -> None:
        await self._vault.create(scope, DESTROYED)
        for _ in range(_ATTEMPTS):
            wrapped = await self._vault.load(scope) or DESTROYED
            if wrapped == DESTROYED or await self._vault.replace(scope, wrapped, DESTROYED):
                self._known.pop(scope, None)
                return
        raise Conflict("Others change the keys of the scope all the time.", reason="BUSY")

    async def _rewrap(self, scope: str, wrapping: Wrapping) -> None:
        for _ in range(_ATTEMPTS):
            wrapped = await self._vault.load(scope) or DESTROYED
            if wrapped == DESTROYED or wrapping.is_current(wrapped):
                return
            if await self._vault.replace(scope, wrapped, wrapping.wrap(scope, wrapping.unwrap(scope, wrapped))):
                return
        raise Conflict("Others change the keys of the scope all the time.", reason="BUSY")
