"""What the use cases ask of the outside."""

from collections.abc import AsyncIterator, Container, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol

from directory_view import Bitmap
from rpc import Caller

from news.domain.post import Post, State
from news.domain.talk import Comment, Reaction, Standing
from news.domain.text import Variant

Verb = Literal[
    "create", "update", "submit", "approve", "reject", "schedule", "hold", "publish", "expire", "archive", "retract",
    "remind",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """Who did what to a post: a line of its history, and the audit fact of the same write.

    `missing` is whom a reminder goes to.
    """

    verb: Verb
    by: Caller
    at: datetime
    reason: str = ""
    missing: Bitmap | None = None


@dataclass(frozen=True, slots=True)
class Deed:
    """One line of a post's history; `etag` is that of the post after it."""

    verb: str
    actor_id: str
    at: datetime
    reason: str
    etag: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some posts in the order of their ids; `after` continues behind the last one and is None at the end."""

    posts: list[Post]
    after: str | None


class Posts(Protocol):
    """The posts; each write carries the facts that it makes true, and is a line of the post's history."""

    async def get(self, post_id: str) -> Post:
        """Raises NotFound."""
        ...

    async def add(self, post: Post, change: Change) -> None:
        """Raises Conflict (ALREADY_EXISTS)."""
        ...

    async def replace(self, post: Post, change: Change, *, version: int) -> Post:
        """Writes the post over its `version` and returns it as it is then; raises Conflict (STALE)."""
        ...

    async def page(self, entity_id: str, state: State, after: str | None, limit: int) -> Page:
        """The posts of an entity in a state."""
        ...

    async def history(self, post_id: str) -> list[Deed]:
        """The latest 200 deeds, newest first."""
        ...

    async def text(self, post_id: str, etag: str) -> tuple[Variant, ...]:
        """The texts as a version had them; raises NotFound for what is no longer kept."""
        ...

    def due(self, at: datetime) -> AsyncIterator[Post]:
        """The posts to which time has something to do."""
        ...


class LivePosts(Protocol):
    """What the feeds are made of."""

    def live(self) -> AsyncIterator[Post]:
        """All posts that are in feeds."""
        ...

    def moved_since(self, moment: datetime) -> AsyncIterator[Post]:
        """The posts that came into, changed in or went out of the feeds after the moment, and maybe some before."""
        ...


class MarkKind(StrEnum):
    """What readers do with a version of a post."""

    READ = "read"
    ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True, slots=True)
class Mark:
    """That a person did something with one version of a post; it holds once, however often it is said."""

    kind: MarkKind
    post_id: str
    text_version: int
    entity_id: str
    person_id: str
    number: int
    # Who did it in their place.
    delegate_id: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """A mark as it was taken in."""

    number: int
    at: datetime
    delegate_id: str


class Marks(Protocol):
    """What readers did, as bitmaps of their numbers."""

    async def add(self, mark: Mark) -> bool:
        """Returns when it is durable; says whether it was new."""
        ...

    def held(self, kind: MarkKind, post_id: str, text_version: int) -> Bitmap:
        """Whose mark is known to this process, of others' within a second; not to be changed."""
        ...

    async def numbers(self, kind: MarkKind, post_id: str, text_version: int) -> Bitmap:
        """Whose mark is in the store now; not to be changed."""
        ...

    def taken(self, kind: MarkKind, post_id: str, text_version: int) -> AsyncIterator[Taken]:
        """Every mark with its circumstances; of one person maybe several."""
        ...

    async def refresh(self) -> None:
        """Takes in what other processes wrote."""
        ...

    async def recall(self, post_id: str, text_version: int) -> None:
        """Makes `held` whole again for a post that was not kept."""
        ...

    def keep(self, post_ids: Container[str]) -> None:
        """Holds the marks of these posts in memory, and those of no others."""
        ...

    async def fold(self, at: datetime) -> None:
        """Makes little of what was written a while ago; it says the same."""
        ...


@dataclass(frozen=True, slots=True)
class Delegation:
    """Who may acknowledge in somebody's place, and until when."""

    person_id: str
    delegate_id: str
    until: datetime


class Delegations(Protocol):
    """The delegations, one a person."""

    async def get(self, person_id: str) -> Delegation | None: ...

    async def put(self, delegation: Delegation, by: Caller, at: datetime) -> None:
        """With its audit fact; an `until` that has passed ends it."""
        ...


@dataclass(frozen=True, slots=True)
class Taste:
    """The categories that a reader follows, and those that they do not want to see."""

    followed: frozenset[str] = frozenset()
    muted: frozenset[str] = frozenset()


class Tastes(Protocol):
    """What readers follow and mute."""

    async def get(self, person_id: str) -> Taste: ...

    async def put(self, person_id: str, taste: Taste) -> None: ...


class RollSigner(Protocol):
    """Signs rolls (Ed25519, RFC 8032)."""

    @property
    def public_key(self) -> bytes:
        """32 bytes."""
        ...

    @property
    def earlier(self) -> Sequence[bytes]:
        """The public keys of those before it, whose rolls still hold."""
        ...

    def sign(self, content: Sequence[bytes]) -> bytes:
        """Of all parts together; 64 bytes."""
        ...


class FeedTokens(Protocol):
    """Digests of the secret addresses of feeds, one a person."""

    async def put(self, person_id: str, digest: str) -> None:
        """In the place of the one before."""
        ...

    async def end(self, person_id: str) -> None: ...

    async def owner(self, digest: str) -> str:
        """The person's id; empty for an address that is none."""
        ...


@dataclass(frozen=True, slots=True)
class CommentPage:
    """Some comments, oldest first; `after` continues behind the last one and is None at the end."""

    comments: list[Comment]
    after: tuple[datetime, str] | None


class Comments(Protocol):
    """The comments; each write carries its audit fact."""

    async def get(self, comment_id: str) -> Comment:
        """Raises NotFound."""
        ...

    async def add(self, comment: Comment, by: Caller) -> Comment:
        """The comment as it is stored: one that is there already stays as it is."""
        ...

    async def replace(self, comment: Comment, verb: str, by: Caller, at: datetime) -> Comment:
        """Writes it over its version; raises Conflict (STALE)."""
        ...

    async def page(
        self, post_id: str, standings: Sequence[Standing], after: tuple[datetime, str] | None, limit: int
    ) -> CommentPage: ...


class Reactions(Protocol):
    """The reactions of a post's readers, as bitmaps of their numbers."""

    async def put(self, post_id: str, number: int, reaction: Reaction | None) -> None:
        """In the place of the one before."""
        ...

    async def get(self, post_id: str) -> dict[Reaction, Bitmap]: ...
