"""What readers have settled, in MongoDB: their delegates, and what they follow and mute."""

from datetime import datetime

from rpc import Caller
from store import Collection

from news.adapters import wire
from news.application.ports import Delegation, Taste


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
