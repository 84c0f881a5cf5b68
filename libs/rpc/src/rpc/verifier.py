"""Tokens: who somebody is, as an OIDC issuer states and signs it (RFC 7519, RFC 7517)."""

import asyncio
import base64
import json
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from errors import Transient, Unauthenticated
from telemetry.background import end, keep

from rpc.identity import Caller
from rpc.keys import KeySet

_LONGEST_TOKEN = 16_384
_CACHED = 10_000
_LEEWAY = 5.0
"""Seconds by which clocks may differ."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Kubernetes cluster whose service accounts are services of the suite, by their projected tokens."""

    issuer: str
    """What the claim "iss" of its tokens is."""
    jwks: str
    """Where its public keys are, as for a Verifier; the API server shows them to every service account."""
    subjects: str
    """What the "sub" of those accounts begins with, such as "system:serviceaccount:rossio:rossio-"; the rest is the
    service's name. Other accounts are nobody here."""
    authority: Path | None = None
    token_file: Path | None = None

    def caller(self, claims: dict[str, Any]) -> Caller:
        """Returns the service that verified claims describe.

        Raises:
            Unauthenticated: the account is not one of the suite's.
        """
        account = claims["sub"]
        name = account.removeprefix(self.subjects)
        if not self.subjects or name in {account, ""}:
            raise _invalid()
        return Caller(name, "service", "", frozenset())


@dataclass(frozen=True, slots=True)
class _Trust:
    """An issuer, its keys, and who its tokens stand for."""

    keys: KeySet
    caller: Callable[[dict[str, Any]], Caller]


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
        cluster: whose tokens are accepted too, for the same audience.
    """

    def __init__(
        self, jwks: str, issuer: str, audience: str, *, refresh_seconds: float = 300.0, cluster: Cluster | None = None
    ) -> None:
        self._trusts = {issuer: _Trust(KeySet(jwks), _caller)}
        if cluster is not None:
            keys = KeySet(cluster.jwks, authority=cluster.authority, token_file=cluster.token_file)
            self._trusts[cluster.issuer] = _Trust(keys, cluster.caller)
        self._audience = audience
        self._refresh_seconds = refresh_seconds
        # The oldest goes first; a dict would look over all the places of those that went before.
        self._verified: OrderedDict[str, tuple[Caller, float]] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Reads the keys, and again from time to time; that they cannot be read yet is no error."""
        await self._refresh()
        self._task = keep("token keys", self._keep_fresh())

    async def stop(self) -> None:
        await end(self._task)

    def trouble(self) -> str | None:
        """Says why no token can be verified, None when they can: a readiness check."""
        return next(filter(None, (trust.keys.trouble() for trust in self._trusts.values())), None)

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
        issuer, key_id = _says(token)
        trust = self._trusts.get(issuer)
        if trust is None:
            raise _invalid()
        key = await self._key(key_id, trust.keys)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=self._audience,
                issuer=issuer,
                leeway=_LEEWAY,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except jwt.ExpiredSignatureError:
            raise Unauthenticated("the token has expired", reason="TOKEN_EXPIRED") from None
        except jwt.InvalidTokenError:
            raise _invalid() from None
        caller = trust.caller(claims)
        if len(self._verified) >= _CACHED:
            self._verified.popitem(last=False)
        self._verified[token] = caller, float(claims["exp"]) + _LEEWAY
        return caller

    async def _key(self, key_id: str, keys: KeySet) -> jwt.PyJWK:
        key = keys.get(key_id)
        if key is None:
            await self._read(keys, wanted=key_id)
            key = keys.get(key_id)
        if keys.trouble() is not None:
            raise Transient("the keys of the token issuer cannot be had", reason="KEYS_UNAVAILABLE")
        if key is None:
            raise _invalid()
        return key

    async def _refresh(self) -> None:
        for trust in self._trusts.values():
            await self._read(trust.keys)

    async def _read(self, keys: KeySet, wanted: str = "") -> None:
        """Reads keys; when they are others than before, nothing that was verified holds any more."""
        if await keys.refresh(wanted):
            self._verified.clear()

    async def _keep_fresh(self) -> None:
        while True:
            await asyncio.sleep(self._refresh_seconds if self.trouble() is None else 1.0)
            await self._refresh()


def _says(token: str) -> tuple[str, str]:
    """Whose token it says that it is, and by which key; its signature, and all else about it, is looked at after that.

    Not by the library, which looks at every letter of it and then again at the verification: a fifth of what a
    token costs.
    """
    if len(token) > _LONGEST_TOKEN:
        raise _invalid()
    try:
        header, claims = (json.loads(base64.urlsafe_b64decode(f"{part}==")) for part in token.split(".")[:2])
        issuer, key_id = claims.get("iss", ""), header.get("kid", "")
    except (ValueError, AttributeError, RecursionError):
        raise _invalid() from None
    if not isinstance(issuer, str) or not isinstance(key_id, str):
        raise _invalid()
    return issuer, key_id


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
