"""The live posts in memory, and the feed that is read over them (fan-out on read)."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from datetime import datetime

from directory_view import Bitmap

from news.domain.post import Live, Post

# Where a post stands in every feed: when it was published, and its id among those of the same moment.
Position = tuple[datetime, str]


class Feed:
    """All live posts with their decoded audiences, in the order of publication.

    A reader's feed is the posts whose audience holds the reader's number: one look into a bitmap for each
    live post, whatever the number of readers.

    Args:
        audience: the people whom a post is for now; the bitmap of its publication when left out.
    """

    def __init__(self, audience: Callable[[Live], Bitmap] = lambda live: live.people) -> None:
        self._audience = audience
        self._positions: list[Position] = []
        self._posts: dict[str, Post] = {}
        self._heard: list[Callable[[Post], None]] = []

    def __len__(self) -> int:
        return len(self._posts)

    def __contains__(self, post_id: object) -> bool:
        return post_id in self._posts

    def on_publication(self, hear: Callable[[Post], None]) -> None:
        """Calls `hear` with each post that comes in, or comes in with another text."""
        self._heard.append(hear)

    def off_publication(self, hear: Callable[[Post], None]) -> None:
        self._heard.remove(hear)

    def put(self, post: Post) -> None:
        """Takes in what is known of a post; older knowledge than that held is ignored."""
        held = self._posts.get(post.post_id)
        if held is not None and held.version >= post.version:
            return
        if held is not None:
            del self._positions[bisect_left(self._positions, position(held))]
            del self._posts[post.post_id]
        if post.in_feeds:
            insort(self._positions, position(post))
            self._posts[post.post_id] = post
            if held is None or held.text_version < post.text_version:
                for hear in list(self._heard):
                    hear(post)

    def get(self, post_id: str) -> Post | None:
        return self._posts.get(post_id)

    def holds(self, post: Post, number: int) -> bool:
        """Whether the person with this number may read the post now."""
        return post.may_be_opened and post.live is not None and number in self._audience(post.live)

    def read(self, number: int, before: Position | None = None) -> Iterator[Post]:
        """The posts of the person with this number, newest first, those published before `before`."""
        end = len(self._positions) if before is None else bisect_left(self._positions, before)
        for index in range(end - 1, -1, -1):
            post = self._posts[self._positions[index][1]]
            # What is held here is in feeds: this is `holds` without asking that, for each live post of a page.
            if post.live is not None and number in self._audience(post.live):
                yield post

    def since(self, number: int, after: Position) -> Iterator[Post]:
        """The posts of the person with this number that were published after `after`, oldest first."""
        for _, post_id in self._positions[bisect_right(self._positions, after) :]:
            post = self._posts[post_id]
            if self.holds(post, number):
                yield post


def position(post: Post) -> Position:
    """Where a post that was published stands."""
    assert post.live is not None
    return post.live.published_at, post.post_id
