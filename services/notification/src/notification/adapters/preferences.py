"""Preferences in MongoDB: a document for each choice that somebody made."""

from collections.abc import AsyncIterator, Mapping
from collections.abc import Collection as Several
from datetime import datetime
from typing import Final

from rpc import Caller
from store import Collection, Index

from notification.adapters import wire
from notification.domain.decision import Choice
from notification.domain.vocabulary import Channel, Topic

INDEXES: Final = (Index(["person_id", "topic"]), Index(["topic", "enabled"]))


class StoredPreferences:
    def __init__(self, preferences: Collection) -> None:
        self._preferences = preferences

    async def of(self, person_ids: Several[str], topic: Topic) -> Mapping[str, Choice]:
        channels: dict[str, dict[Channel, bool]] = {}
        async for found in self._preferences.find({"person_id": {"$in": list(person_ids)}, "topic": topic.value}):
            channels.setdefault(found["person_id"], {})[Channel(found["channel"])] = found["enabled"]
        return {person_id: Choice(channels=chosen) for person_id, chosen in channels.items()}

    async def all_of(self, person_id: str) -> Mapping[tuple[Topic, Channel], bool]:
        found = self._preferences.find({"person_id": person_id})
        return {(Topic(each["topic"]), Channel(each["channel"])): each["enabled"] async for each in found}

    async def asking_for(self, topic: Topic) -> AsyncIterator[str]:
        asking: set[str] = set()
        async for found in self._preferences.find({"topic": topic.value, "enabled": True}):
            if found["channel"] != Channel.IN_APP.value and found["person_id"] not in asking:
                asking.add(found["person_id"])
                yield found["person_id"]

    async def set(self, caller: Caller, topic: Topic, channel: Channel, *, enabled: bool, at: datetime) -> None:
        key = f"{caller.subject}/{topic}/{channel}"
        choice = {"person_id": caller.subject, "topic": topic.value, "channel": channel.value, "enabled": enabled}
        audited = wire.audited(
            "notification.preference.set",
            caller,
            resource=key,
            at=at,
            details={"topic": topic.value, "channel": channel.value, "enabled": str(enabled).lower()},
        )
        await self._preferences.update(key, {"$set": choice}, upsert=True, facts=[audited])
