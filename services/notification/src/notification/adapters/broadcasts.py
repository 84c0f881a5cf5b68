"""Broadcasts in MongoDB: one document with a bitmap, and one for each person who did something about it."""

from collections.abc import AsyncIterator, Iterable, Mapping
from collections.abc import Collection as Several
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from directory_view import Bitmap
from errors import Conflict
from rpc import Caller
from store import Collection, Document, Index, Insert

from notification.adapters import wire
from notification.domain.broadcast import Broadcast
from notification.domain.vocabulary import Topic

_AT_ITS_TIME: Final = timedelta(0)

INDEXES: Final = (
    Index(["key"], unique=True),
    Index(["withdrawn"]),
    Index(["subject_id"]),
    Index(["kept_until"], expire_after=_AT_ITS_TIME),
)
MARK_INDEXES: Final = (Index(["person_id"]), Index(["kept_until"], expire_after=_AT_ITS_TIME))


class StoredBroadcasts:
    def __init__(self, broadcasts: Collection, marks: Collection) -> None:
        self._broadcasts = broadcasts
        self._marks = marks

    async def add(self, broadcast: Broadcast) -> Broadcast:
        report = wire.broadcast_report(broadcast, broadcast.at)
        try:
            await self._broadcasts.insert(_written(broadcast), [report])
        except Conflict:
            found = await self._broadcasts.find_one({"key": broadcast.key})
            return broadcast if found is None else _broadcast(found)
        return broadcast

    async def withdraw(self, tombstone: Broadcast, at: datetime) -> None:
        there = await self.add(tombstone)
        if there.withdrawn:
            return
        report = wire.broadcast_report(replace(there, withdrawn=True), at)
        try:
            await self._broadcasts.update(
                there.broadcast_id, {"$set": {"withdrawn": True}}, where={"withdrawn": False}, facts=[report]
            )
        except Conflict:
            return

    async def about(self, subject_id: str) -> AsyncIterator[Broadcast]:
        async for found in self._broadcasts.find({"subject_id": subject_id}):
            yield _broadcast(found)

    async def is_withdrawn(self, key: str) -> bool:
        found = await self._broadcasts.find_one({"key": key}, projection={"withdrawn": True})
        return found is not None and bool(found["withdrawn"])

    async def live(self, at: datetime) -> AsyncIterator[Broadcast]:
        async for found in self._broadcasts.find({"withdrawn": False, "kept_until": {"$gt": at}}):
            yield _broadcast(found)

    async def these(self, broadcast_ids: Several[str]) -> AsyncIterator[Broadcast]:
        async for found in self._broadcasts.find({"_id": {"$in": list(broadcast_ids)}}):
            yield _broadcast(found)

    async def read_by(self, person_id: str) -> set[str]:
        found = self._marks.find({"person_id": person_id}, projection={"broadcast_id": True})
        return {mark["broadcast_id"] async for mark in found}

    async def read_since(self, person_id: str, since: datetime) -> set[str]:
        found = self._marks.find({"person_id": person_id, "at": {"$gt": since}}, projection={"broadcast_id": True})
        return {mark["broadcast_id"] async for mark in found}

    async def mark_read(self, broadcasts: Iterable[Broadcast], by: Caller, at: datetime) -> None:
        await self._marks.bulk(
            [
                Insert(
                    {
                        "_id": f"{each.broadcast_id}/{by.subject}",
                        "person_id": by.subject,
                        "broadcast_id": each.broadcast_id,
                        "at": at,
                        "kept_until": each.kept_until,
                    },
                    [wire.read_fact(each.broadcast_id, by, at)],
                )
                for each in broadcasts
            ]
        )


def _written(each: Broadcast) -> Document:
    return {
        "_id": each.broadcast_id,
        "key": each.key,
        "topic": each.topic.value,
        "entity_id": each.entity_id,
        "titles": [list(pair) for pair in each.titles.items()],
        "subject_id": each.subject_id,
        "at": each.at,
        "kept_until": each.kept_until,
        "people": each.people.serialize(),
        "withdrawn": each.withdrawn,
    }


def _broadcast(found: Mapping[str, Any]) -> Broadcast:
    return Broadcast(
        broadcast_id=found["_id"],
        key=found["key"],
        topic=Topic(found["topic"]),
        entity_id=found["entity_id"],
        titles=dict(found["titles"]),
        subject_id=found["subject_id"],
        at=found["at"],
        kept_until=found["kept_until"],
        people=Bitmap.deserialize(found["people"]),
        withdrawn=found["withdrawn"],
    )
