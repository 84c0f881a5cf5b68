"""Who is watching something in this process, and what is new for them."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from errors import Exhausted

from notification.domain.broadcast import Broadcast
from notification.domain.inbox import Reads
from notification.domain.notification import Notification

News = Notification | Broadcast | Reads
_BEHIND = 1000


class Watcher:
    """One open stream, and what it has not been told yet."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._news: asyncio.Queue[News] = asyncio.Queue(_BEHIND)
        self._lost = False

    def tell(self, news: News) -> None:
        try:
            self._news.put_nowait(news)
        except asyncio.QueueFull:
            self._lost = True

    async def next(self) -> News:
        """Waits for news; raises Exhausted when some were lost because the watcher was too slow."""
        news = await self._news.get()
        if self._lost:
            raise Exhausted("too slow: watch again from the last item seen", reason="WATCHER_BEHIND")
        return news


class Watchers:
    """All open streams of one kind in this process, by who watches."""

    def __init__(self) -> None:
        self._of: defaultdict[str, set[Watcher]] = defaultdict(set)

    def __bool__(self) -> bool:
        return bool(self._of)

    @contextmanager
    def watching(self, subject: str, number: int = 0) -> Iterator[Watcher]:
        """A stream of what `subject` is told; `number` is that of a person, to whom broadcasts go too."""
        watcher = Watcher(number)
        self._of[subject].add(watcher)
        try:
            yield watcher
        finally:
            self._of[subject].discard(watcher)
            if not self._of[subject]:
                del self._of[subject]

    def tell(self, subject: str, news: Notification | Reads) -> None:
        for watcher in self._of.get(subject, ()):
            watcher.tell(news)

    def tell_all(self, broadcast: Broadcast) -> None:
        for watchers in self._of.values():
            for watcher in watchers:
                if watcher.number in broadcast.people:
                    watcher.tell(broadcast)
