"""Who hands mail in: a token of the issuer (OAUTHBEARER), or an app password (PLAIN); see ADR 20."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import errors
from rpc import Caller

from mail_routing.application.ports import AppPasswords, People
from mail_routing.domain.address import canonical
from mail_routing.domain.app_password import parts

_WRONG = "the credentials are not valid"


@dataclass(frozen=True, slots=True)
class Password:
    """PLAIN (RFC 4616): an address or the id of a person, and an app password of theirs."""

    identity: str
    password: str


@dataclass(frozen=True, slots=True)
class Bearer:
    """OAUTHBEARER (RFC 7628): a token, and as whom its holder wants to act; empty: as themself."""

    token: str
    identity: str = ""


Credentials = Password | Bearer


class Hasher(Protocol):
    """A memory-hard hash of passwords; both may take a while, and never the event loop's time."""

    async def hash(self, password: str) -> str: ...
    async def matches(self, password: str, hashed: str) -> bool: ...


class Authenticate:
    """Answers with the caller, for whom the directory still knows addresses when it is a person.

    `Unauthenticated` when the credentials are wrong, whatever is wrong with them, and `Transient` when that cannot
    be found out now. An app password gives no roles.
    """

    def __init__(
        self,
        verify: Callable[[str], Awaitable[Caller]],
        app_passwords: AppPasswords,
        people: People,
        hasher: Hasher,
        *,
        now: Callable[[], datetime],
    ) -> None:
        self._verify = verify
        self._app_passwords = app_passwords
        self._people = people
        self._hasher = hasher
        self._now = now

    async def __call__(self, credentials: Credentials) -> Caller:
        caller = await (self._bearer(credentials) if isinstance(credentials, Bearer) else self._password(credentials))
        if caller.kind == "citizen" or (caller.kind == "person" and not self._people.addresses_of(caller.subject)):
            raise errors.Unauthenticated(_WRONG)
        return caller

    async def _bearer(self, credentials: Bearer) -> Caller:
        caller = await self._verify(credentials.token)
        if credentials.identity and not self._is(caller.subject, credentials.identity):
            raise errors.Unauthenticated(_WRONG)
        return caller

    async def _password(self, credentials: Password) -> Caller:
        password_id, _ = parts(credentials.password)
        found = await self._app_passwords.get(password_id) if password_id else None
        if found is None or not found.holds(self._now()) or not self._is(found.person_id, credentials.identity):
            raise errors.Unauthenticated(_WRONG)
        if not await self._hasher.matches(credentials.password, found.hashed):
            raise errors.Unauthenticated(_WRONG)
        return Caller(found.person_id, "person", self._people.entity_of(found.person_id), frozenset())

    def _is(self, subject: str, identity: str) -> bool:
        return identity == subject or canonical(identity) in self._people.addresses_of(subject)
