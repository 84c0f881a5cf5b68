"""The live posts in memory, and the feed that is read over them (fan-out on read)."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from datetime import datetime

from news.domain.post import Post, State

# Where a post stands in every feed: when it was published, and its id among those of the same moment.
Position = tuple[datetime, str]


class Feed:
    """All live posts with their decoded audiences, in the order of publication.

    A reader's feed is the posts whose audience holds the reader's number, newest first: one look into
    a bitmap for each live post, whatever the number of readers.
    """

    def __init__(self) -> None:
        self._positions: list[Position] = []
        self._posts: dict[str, Post] = {}

    def __len__(self) -> int:
        return len(self._posts)

    def put(self, post: Post) -> None:
        """Takes in what is known of a post; older knowledge than that held is ignored."""
        held = self._posts.get(post.post_id)
        if held is not None and held.version >= post.version:
            return
        if held is not None:
            del self._positions[bisect_left(self._positions, position(held))]
            del self._posts[post.post_id]
        if post.state is State.PUBLISHED:
            insort(self._positions, position(post))
            self._posts[post.post_id] = post

    def get(self, post_id: str) -> Post | None:
        return self._posts.get(post_id)

    def read(self, number: int, before: Position | None = None) -> Iterator[Post]:
        """The posts of the person with this number, newest first, those published before `before`."""
        end = len(self._positions) if before is None else bisect_left(self._positions, before)
        for index in range(end - 1, -1, -1):
            post = self._posts[self._positions[index][1]]
            if number in post.people:
                yield post


def position(post: Post) -> Position:
    """Where a post that was published stands."""
    assert post.published_at is not None
    return post.published_at, post.post_id
