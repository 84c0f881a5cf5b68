"""Use case: a reader sees new posts as they come."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from errors import Exhausted
from rpc import Caller

from news.application.list_feed import is_wanted
from news.application.ports import Tastes
from news.application.reading import Opened, Reading
from news.domain.feed import Position, position
from news.domain.post import Post

# Other processes' posts become known a moment after their time, maybe behind one of our own.
_OVERLAP: Final = timedelta(seconds=10)
_BEHIND: Final = 1000


@dataclass(frozen=True, slots=True)
class WatchFeed:
    reading: Reading
    tastes: Tastes

    async def __call__(self, caller: Caller, after: Position | None) -> AsyncGenerator[tuple[Opened, Position], None]:
        """New posts until the caller hangs up, each with the position from which to go on.

        With `after` first what was published since then; posts of the ten seconds before it may come again,
        so that none is missed.

        Raises:
            Exhausted: the caller reads too slowly; the stream ends, and the last position takes it up again.
        """
        person = self.reading.person(caller)
        taste = await self.tastes.get(person.person_id)
        waiting: asyncio.Queue[Post] = asyncio.Queue(_BEHIND + 1)

        def hear(post: Post) -> None:
            if self.reading.feed.holds(post, person.number) and not waiting.full():
                waiting.put_nowait(post)

        self.reading.feed.on_publication(hear)
        try:
            seen: set[tuple[str, int]] = set()
            if after is not None:
                for post in list(self.reading.feed.since(person.number, (after[0] - _OVERLAP, ""))):
                    if is_wanted(post, taste) and position(post) != after:
                        seen.add((post.post_id, post.text_version))
                        yield self.reading.opened(post, person), position(post)
            while True:
                if waiting.full():
                    raise Exhausted("too slow: watch again from the last position seen", reason="WATCHER_BEHIND")
                post = await waiting.get()
                if is_wanted(post, taste) and (post.post_id, post.text_version) not in seen:
                    seen.add((post.post_id, post.text_version))
                    yield self.reading.opened(post, person), position(post)
        finally:
            self.reading.feed.off_publication(hear)
