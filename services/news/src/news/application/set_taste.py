"""Use case: a reader follows and mutes categories."""

from collections.abc import Collection
from dataclasses import dataclass

from errors import Invalid
from rpc import Caller

from news.application.ports import Taste, Tastes
from news.application.reading import Reading


@dataclass(frozen=True, slots=True)
class SetTaste:
    reading: Reading
    tastes: Tastes

    async def get(self, caller: Caller) -> Taste:
        return await self.tastes.get(self.reading.person(caller).person_id)

    async def put(self, caller: Caller, followed: Collection[str], muted: Collection[str]) -> Taste:
        """Replaces both; raises Invalid for a category in both."""
        taste = Taste(frozenset(followed), frozenset(muted))
        if both := taste.followed & taste.muted:
            raise Invalid("a category is followed or muted", reason="FOLLOWED_AND_MUTED", category=min(both))
        await self.tastes.put(self.reading.person(caller).person_id, taste)
        return taste
