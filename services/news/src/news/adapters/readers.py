"""What readers have settled, in MongoDB: their delegates, what they follow and mute, and the
addresses of their feeds.
"""

from datetime import datetime
from typing import Final

from rpc import Caller
from store import Collection, Index

from news.adapters import wire
from news.application.ports import Delegation, Taste

FEED_TOKEN_INDEXES: Final = (Index(["digest"], unique=True),)


class StoredDelegations:
    """One document a person, under their id."""

    def __init__(self, delegations: Collection) -> None:
        self._delegations = delegations

    async def get(self, person_id: str) -> Delegation | None:
        found = await self._delegations.get(person_id)
        return Delegation(person_id, found["delegate_id"], found["until"]) if found else None

    async def put(self, delegation: Delegation, by: Caller, at: datetime) -> None:
        await self._delegations.update(
            delegation.person_id,
            {"$set": {"delegate_id": delegation.delegate_id, "until": delegation.until}},
            upsert=True,
            facts=[wire.delegated(delegation, by, at)],
        )


class StoredTastes:
    """One document a person, under their id; none for those who have said nothing."""

    def __init__(self, tastes: Collection) -> None:
        self._tastes = tastes

    async def get(self, person_id: str) -> Taste:
        found = await self._tastes.get(person_id)
        return Taste(frozenset(found["followed"]), frozenset(found["muted"])) if found else Taste()

    async def put(self, person_id: str, taste: Taste) -> None:
        said = {"followed": sorted(taste.followed), "muted": sorted(taste.muted)}
        await self._tastes.update(person_id, {"$set": said}, upsert=True)


class StoredFeedTokens:
    """One document a person, under their id."""

    def __init__(self, tokens: Collection) -> None:
        self._tokens = tokens

    async def put(self, person_id: str, digest: str) -> None:
        await self._tokens.update(person_id, {"$set": {"digest": digest}}, upsert=True)

    async def end(self, person_id: str) -> None:
        await self._tokens.delete(person_id)

    async def owner(self, digest: str) -> str:
        found = await self._tokens.find_one({"digest": digest}, projection={"digest": True})
        return str(found["_id"]) if found else ""
