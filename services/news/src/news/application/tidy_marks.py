"""Use case: what readers did takes little room, in the store and in memory."""

from dataclasses import dataclass
from datetime import datetime

from news.application.ports import Marks
from news.domain.feed import Feed


@dataclass(frozen=True, slots=True)
class TidyMarks:
    marks: Marks
    feed: Feed

    async def __call__(self, at: datetime) -> None:
        """Folds what is old; in memory stays what is about posts in feeds, the rest is read when it is asked for."""
        await self.marks.fold(at)
        self.marks.keep(self.feed)
