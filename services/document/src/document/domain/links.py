"""Links: the right of whoever holds one to read a file, for a while, so often, perhaps with a password."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from errors import Exhausted, Invalid, NotAllowed, NotFound

from document.domain.node import Act, Kind, Node
from document.domain.permissions import Grant, GranteeKind, Label, Role, Subject, decide, label_of

MAX_LIFE: Final = timedelta(days=366)
MAX_USES: Final = 1000
MAX_GUESSES: Final = 10
"""Wrong passwords in a row; then the link is closed for good, so that nobody can go through a dictionary."""
_TOLD_BEFORE: Final = timedelta(days=3)
_SAME_USE: Final = timedelta(hours=1)
"""How long a broken-off download may be taken up again without counting as another use."""


@dataclass(frozen=True, slots=True)
class Use:
    act_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Link:
    """A link as it is kept: of its token and its password only what they are checked by.

    `max_uses` 0 is any number; only uses of a limited link are in `uses`. `guesses` are the wrong
    passwords since the last right one. `revision` counts the changes.
    """

    link_id: str
    node_id: str
    maker: Subject
    created_at: datetime
    expires_at: datetime
    salt: bytes
    token_hash: bytes
    max_uses: int = 0
    password_hash: bytes = b""
    used: int = 0
    uses: tuple[Use, ...] = ()
    guesses: int = 0
    revoked: bool = False
    revision: int = 1

    @property
    def tell_at(self) -> datetime:
        """When its maker is told that it will end: three days before, or at half of a shorter life."""
        return self.expires_at - min(_TOLD_BEFORE, (self.expires_at - self.created_at) / 2)

    @property
    def bearer(self) -> Subject:
        """Who holds the link, to the evaluator."""
        return Subject(GranteeKind.LINK, self.link_id, "")

    def opens_with(self, token: str) -> bool:
        return hmac.compare_digest(self.token_hash, _hashed(token))

    def continues(self, act: Act) -> bool:
        """Whether the act is a use that was counted already."""
        return any(use.act_id == act.act_id and act.at - use.at < _SAME_USE for use in self.uses)

    def check_open(self, act: Act) -> None:
        """Raises `NotAllowed` or `Exhausted` when the link does not hold, or no longer."""
        if self.revoked:
            raise NotAllowed("the link was taken back", reason="LINK_REVOKED")
        if self.expires_at <= act.at:
            raise NotAllowed("the link has expired", reason="LINK_EXPIRED")
        if self.guesses >= MAX_GUESSES:
            raise NotAllowed("too many wrong passwords: ask for another link", reason="LINK_CLOSED")
        if self.max_uses and self.used >= self.max_uses and not self.continues(act):
            raise Exhausted("the link is used up", reason="LINK_USED_UP")


def new_link(
    act: Act,
    path: Sequence[Node],
    expires_at: datetime,
    *,
    max_uses: int,
    salt: bytes,
    token: str,
) -> Link:
    """A link to the file at the end of the path.

    Raises:
        Invalid: it is no file, its label keeps it from being linked, or the link would hold too long or too often.
    """
    node, label = path[-1], label_of(path)
    if node.kind is not Kind.FILE:
        raise Invalid("links lead to files", reason="NOT_A_FILE")
    if label >= Label.INTERNAL:
        raise Invalid(f"what is labelled {label.name.lower()} is not linked to", reason="LABEL")
    if not timedelta() < expires_at - act.at <= MAX_LIFE:
        raise Invalid(f"a link ends within {MAX_LIFE.days} days", reason="EXPIRY")
    if max_uses > MAX_USES:
        raise Invalid(f"a link counts at most {MAX_USES} uses", reason="MAX_USES")
    return Link(
        link_id=act.act_id,
        node_id=node.node_id,
        maker=act.subject,
        created_at=act.at,
        expires_at=expires_at,
        salt=salt,
        token_hash=_hashed(token),
        max_uses=max_uses,
    )


def token_of(salt: bytes, request_id: str) -> str:
    """The token of a link: the same for a repeated request, and told by neither the store nor the request alone."""
    digest = hmac.digest(salt, request_id.encode(), "sha256")
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def written_out(link: Link, token: str) -> str:
    """The link as people pass it on."""
    return f"{link.link_id}.{token}"


def taken_apart(text: str) -> tuple[str, str]:
    """The id and the token of a link."""
    link_id, _, token = text.partition(".")
    return link_id, token


def check_reaches(link: Link, path: Sequence[Node], maker: Subject) -> None:
    """A link gives what its maker may still give, through the same evaluator as any grant.

    Raises:
        NotFound: the file is gone, or its maker no longer manages it, or its label forbids it.
    """
    given = Grant(link.link_id, link.bearer.grantee, Role.READER, link.maker.id, link.created_at)
    if (
        not path
        or decide(maker, path).role is not Role.MANAGER
        or decide(link.bearer, (*path[:-1], replace(path[-1], grants=(*path[-1].grants, given)))).role is Role.NONE
    ):
        raise no_link()


def no_link() -> NotFound:
    return NotFound("there is no such link")


def _hashed(token: str) -> bytes:
    """The token has 256 bits of its own, so that a fast hash does."""
    return hashlib.sha256(token.encode()).digest()
