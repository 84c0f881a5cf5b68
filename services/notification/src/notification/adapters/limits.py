"""How much may be sent in a while, in MongoDB: a counter for each window, which never passes its limit."""

from datetime import datetime, timedelta
from typing import Any, Final

from errors import Conflict
from store import Collection, Index

INDEXES: Final = (Index(["until"], expire_after=timedelta(0)),)


class StoredLimits:
    def __init__(self, counters: Collection) -> None:
        self._counters = counters

    async def take(self, whose: str, limit: int, window: timedelta, at: datetime) -> datetime | None:
        begin = at - timedelta(seconds=at.timestamp() % window.total_seconds())
        until = begin + window
        change: dict[str, dict[str, Any]] = {"$inc": {"count": 1}, "$setOnInsert": {"until": until}}
        try:
            await self._counters.update(
                f"{whose}/{int(begin.timestamp())}", change, where={"count": {"$lt": limit}}, upsert=True
            )
        except Conflict:
            return until
        return None
