"""Use case: what is held in memory is brought up to date with what other processes wrote."""

from datetime import datetime

from news.application.ports import LivePosts, Marks
from news.domain.feed import Feed


class RefreshFeed:
    """Loads all live posts and marks the first time, then what came since."""

    def __init__(self, posts: LivePosts, marks: Marks, feed: Feed) -> None:
        self._posts = posts
        self._marks = marks
        self._feed = feed
        self._last: datetime | None = None

    async def __call__(self, at: datetime) -> None:
        found = self._posts.live() if self._last is None else self._posts.moved_since(self._last)
        async for post in found:
            await self._marks.recall(post.post_id, post.text_version)
            self._feed.put(post)
        await self._marks.refresh()
        self._last = at
