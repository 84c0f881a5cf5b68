"""What the use cases ask of the outside."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from directory_view import Bitmap
from rpc import Caller

from news.domain.post import Post


@dataclass(frozen=True, slots=True)
class Change:
    """Who did what to a post; becomes the audit fact of the same write."""

    verb: Literal["create", "update", "publish", "retract"]
    by: Caller
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """That a person confirmed to have read one version of a post; there is one of each."""

    post_id: str
    text_version: int
    entity_id: str
    person_id: str
    number: int
    at: datetime


class Posts(Protocol):
    """The posts; each write carries the facts that it makes true."""

    async def get(self, post_id: str) -> Post:
        """Raises NotFound."""
        ...

    async def add(self, post: Post, change: Change) -> None:
        """Raises Conflict (ALREADY_EXISTS)."""
        ...

    async def replace(self, post: Post, change: Change, *, version: int) -> Post:
        """Writes the post over its `version` and returns it as it is then; raises Conflict (STALE)."""
        ...


class LivePosts(Protocol):
    """What the feeds are made of."""

    def live(self) -> AsyncIterator[Post]:
        """All posts that are in feeds."""
        ...

    def moved_since(self, moment: datetime) -> AsyncIterator[Post]:
        """The posts that came into or went out of the feeds after the moment, and maybe some before."""
        ...


class Acknowledgements(Protocol):
    """Who acknowledged which version of a post."""

    async def add(self, acknowledgement: Acknowledgement) -> bool:
        """Takes it in with its fact, once; says whether it was new."""
        ...

    async def of(self, person_id: str, versions: Collection[tuple[str, int]]) -> set[str]:
        """Which of these versions, each a post id and a text version, the person acknowledged: the post ids."""
        ...

    async def numbers(self, post_id: str, text_version: int) -> Bitmap:
        """The numbers of all who acknowledged the version; not to be changed."""
        ...
