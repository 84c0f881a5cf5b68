"""Tokens: who somebody is, as an OIDC issuer states and signs it (RFC 7519, RFC 7517)."""

import asyncio
import contextlib
import time
from typing import Any

import jwt
from errors import Transient, Unauthenticated

from rpc.identity import Caller
from rpc.keys import KeySet

_LONGEST_TOKEN = 16_384
_CACHED = 10_000
_LEEWAY = 5.0
"""Seconds by which clocks may differ."""


class Verifier:
    """Checks tokens of one issuer for one audience and remembers those that it has checked.

    A token is accepted when its signature is by a key of the set, with that key's own algorithm, when
    issuer, audience and time are right and the claims sub, kind, entity and roles have their shape.
    Everything else is refused, also when the keys cannot be had.

    Args:
        jwks: where the issuer's public keys are: an http(s) URL or the path of a file.
        issuer: what the claim "iss" must be.
        audience: what the claim "aud" must be or hold.
        refresh_seconds: how often the keys are read again.
    """

    def __init__(self, jwks: str, issuer: str, audience: str, *, refresh_seconds: float = 300.0) -> None:
        self._keys = KeySet(jwks)
        self._issuer = issuer
        self._audience = audience
        self._refresh_seconds = refresh_seconds
        self._verified: dict[str, tuple[Caller, float]] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Reads the keys, and again from time to time; that they cannot be read yet is no error."""
        await self._refresh()
        self._task = asyncio.create_task(self._keep_fresh(), name="token keys")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def trouble(self) -> str | None:
        """Says why no token can be verified, None when they can: a readiness check."""
        return self._keys.trouble()

    def known(self, token: str) -> Caller | None:
        """Returns the caller of a token that was verified before and has not expired since."""
        found = self._verified.get(token)
        if found is None:
            return None
        if found[1] < time.time():
            self._verified.pop(token, None)
            return None
        return found[0]

    async def verify(self, token: str) -> Caller:
        """Returns the caller that the token stands for.

        Raises:
            Unauthenticated: reason TOKEN_MISSING, TOKEN_EXPIRED or TOKEN_INVALID.
            Transient: reason KEYS_UNAVAILABLE; the issuer's keys cannot be had.
        """
        if not token:
            raise Unauthenticated("the call carries no bearer token", reason="TOKEN_MISSING")
        key = await self._key(token)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=self._audience,
                issuer=self._issuer,
                leeway=_LEEWAY,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the token has expired", reason="TOKEN_EXPIRED") from None
        except jwt.InvalidTokenError:
            raise _invalid() from None
        caller = _caller(claims)
        if len(self._verified) >= _CACHED:
            self._verified.pop(next(iter(self._verified)), None)
        self._verified[token] = caller, float(claims["exp"]) + _LEEWAY
        return caller

    async def _key(self, token: str) -> jwt.PyJWK:
        if len(token) > _LONGEST_TOKEN:
            raise _invalid()
        try:
            key_id = jwt.get_unverified_header(token).get("kid", "")
        except jwt.InvalidTokenError:
            raise _invalid() from None
        key = self._keys.get(key_id)
        if key is None:
            await self._refresh(wanted=key_id)
            key = self._keys.get(key_id)
        if self._keys.trouble() is not None:
            raise Transient("the keys of the token issuer cannot be had", reason="KEYS_UNAVAILABLE")
        if key is None:
            raise _invalid()
        return key

    async def _refresh(self, wanted: str = "") -> None:
        """Reads the keys; when they are others than before, nothing that was verified holds any more."""
        if await self._keys.refresh(wanted):
            self._verified.clear()

    async def _keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(self._refresh_seconds if self._keys.trouble() is None else 1.0)
            await self._refresh()


def _invalid() -> Unauthenticated:
    return Unauthenticated("the token is not valid", reason="TOKEN_INVALID")


def _caller(claims: dict[str, Any]) -> Caller:
    """Returns the caller that verified claims describe.

    Raises:
        Unauthenticated: a claim is missing or has another shape.
    """
    match {"kind": "", "entity": "", "roles": [], **claims}:
        case {
            "sub": str(subject),
            "kind": "person" | "citizen" | "service" as kind,
            "entity": str(entity),
            "roles": list(roles),
        }:
            if subject and all(isinstance(role, str) for role in roles) and (entity or kind != "person"):
                return Caller(subject, kind, "" if kind == "citizen" else entity, frozenset(roles))
    raise _invalid()
