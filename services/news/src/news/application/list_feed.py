"""Use case: a reader pages through their feed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple

from rossio.directory.v1.directory_pb2 import Person
from rpc import Caller

from news.application.ports import Taste, Tastes
from news.application.reading import Opened, Reading
from news.domain.feed import Position, position
from news.domain.post import Post

# The parts of a feed, one after the other; each is newest first.
PINNED: Final = 0
UNREAD: Final = 1
READ: Final = 2


class Place(NamedTuple):
    """Where a page begins: behind this position of this part."""

    part: int
    before: Position


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Some items; `after` continues behind the last one and is None at the end."""

    items: list[Opened]
    after: Place | None


@dataclass(frozen=True, slots=True)
class ListFeed:
    reading: Reading
    tastes: Tastes

    async def __call__(
        self, caller: Caller, after: Place | None, limit: int, *, category: str = "", followed_only: bool = False
    ) -> FeedPage:
        """The posts whose audience holds the caller: the pinned ones, the unread, the read; in their language.

        Muted categories are left out, alerts and what must be acknowledged excepted. A post that is read while
        its reader pages moves to the last part, and is seen there again.
        """
        person = self.reading.person(caller)
        taste = await self.tastes.get(person.person_id)

        def wanted(post: Post) -> bool:
            return is_wanted(post, taste, category) and (not followed_only or _category(post) in taste.followed)

        places = list(islice(self._places(person, after, wanted), limit + 1))
        shown = places[:limit]
        items = [self.reading.opened(post, person) for _, post in shown]
        more = len(places) > limit
        return FeedPage(items, Place(shown[-1][0], position(shown[-1][1])) if more else None)

    def _places(
        self, person: Person, after: Place | None, wanted: Callable[[Post], bool]
    ) -> Iterator[tuple[int, Post]]:
        """The posts in their order, from behind `after`, each with its part."""
        first = after.part if after else PINNED
        for part in range(first, READ + 1):
            before = after.before if after and part == after.part else None
            for post in self.reading.feed.read(person.number, before):
                if self._part(post, person) == part and wanted(post):
                    yield part, post

    def _part(self, post: Post, person: Person) -> int:
        assert post.live is not None
        if post.live.content.pinned:
            return PINNED
        return READ if self.reading.has_read(post, person) else UNREAD


def is_wanted(post: Post, taste: Taste, category: str = "") -> bool:
    """Whether somebody with this taste is shown the post, where one category, or every one, is asked for."""
    assert post.live is not None
    content = post.live.content
    if category and content.category != category:
        return False
    return content.mandatory or content.alert is not None or content.category not in taste.muted


def _category(post: Post) -> str:
    assert post.live is not None
    return post.live.content.category
