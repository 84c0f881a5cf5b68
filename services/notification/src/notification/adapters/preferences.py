"""Preferences in MongoDB: a document for each choice that somebody made."""

from collections.abc import AsyncIterator, Mapping
from collections.abc import Collection as Several
from datetime import datetime, time
from typing import Any, Final

from rpc import Caller
from store import Collection, Document, Index

from notification.adapters import wire
from notification.domain.decision import Choice
from notification.domain.quiet import DEFAULT_ZONE, Digest, QuietHours
from notification.domain.vocabulary import Channel, Topic

INDEXES: Final = (Index(["person_id", "topic"]), Index(["topic", "enabled"]))
# The topic of what holds for all of them.
_EVERY: Final = ""


class StoredPreferences:
    """Three kinds of document: a topic on a channel, how often about a topic, and the quiet hours of a person."""

    def __init__(self, preferences: Collection) -> None:
        self._preferences = preferences

    async def of(self, person_ids: Several[str], topic: Topic) -> Mapping[str, Choice]:
        if not person_ids:
            return {}
        made: dict[str, list[Document]] = {}
        query = {"person_id": {"$in": list(person_ids)}, "topic": {"$in": [topic.value, _EVERY]}}
        async for found in self._preferences.find(query):
            made.setdefault(found["person_id"], []).append(found)
        return {person_id: _choice(several) for person_id, several in made.items()}

    async def all_of(self, person_id: str) -> Mapping[tuple[Topic, Channel], bool]:
        found = self._preferences.find({"person_id": person_id})
        return {
            (Topic(each["topic"]), Channel(each["channel"])): each["enabled"]
            async for each in found
            if "channel" in each
        }

    async def rhythm(self, person_id: str) -> tuple[QuietHours | None, str, Mapping[Topic, Digest]]:
        found = [each async for each in self._preferences.find({"person_id": person_id})]
        digests = {Topic(each["topic"]): Digest(each["digest"]) for each in found if "digest" in each}
        choice = _choice(found)
        return choice.quiet, choice.zone, digests

    async def asking_for(self, topic: Topic) -> AsyncIterator[str]:
        asking: set[str] = set()
        async for found in self._preferences.find({"topic": topic.value, "enabled": True}):
            if found["channel"] != Channel.IN_APP.value and found["person_id"] not in asking:
                asking.add(found["person_id"])
                yield found["person_id"]

    async def set(self, caller: Caller, topic: Topic, channel: Channel, *, enabled: bool, at: datetime) -> None:
        kept = {"topic": topic.value, "channel": channel.value, "enabled": enabled}
        await self._keep(f"{topic}/{channel}", kept, caller, at)

    async def set_quiet(self, caller: Caller, hours: QuietHours | None, zone: str, at: datetime) -> None:
        quiet = [hours.begin.isoformat("minutes"), hours.end.isoformat("minutes")] if hours else []
        await self._keep("quiet", {"topic": _EVERY, "quiet": quiet, "zone": zone}, caller, at)

    async def set_digest(self, caller: Caller, topic: Topic, digest: Digest, at: datetime) -> None:
        await self._keep(f"{topic}/digest", {"topic": topic.value, "digest": digest.value}, caller, at)

    async def _keep(self, what: str, kept: Mapping[str, Any], caller: Caller, at: datetime) -> None:
        key = f"{caller.subject}/{what}"
        details = {name: str(value).lower() for name, value in kept.items()}
        audited = wire.audited("notification.preference.set", caller, resource=key, at=at, details=details)
        change = {"$set": {"person_id": caller.subject, **kept}}
        await self._preferences.update(key, change, upsert=True, facts=[audited])


def _choice(documents: list[Document]) -> Choice:
    """What the choices about one topic, and those about all, come to."""
    quiet = next((each for each in documents if "quiet" in each), None)
    digest = next((each["digest"] for each in documents if "digest" in each), Digest.IMMEDIATE.value)
    hours = [time.fromisoformat(each) for each in quiet["quiet"]] if quiet else []
    return Choice(
        channels={Channel(each["channel"]): each["enabled"] for each in documents if "channel" in each},
        quiet=QuietHours(hours[0], hours[1]) if hours else None,
        zone=quiet["zone"] if quiet else DEFAULT_ZONE,
        digest=Digest(digest),
    )
