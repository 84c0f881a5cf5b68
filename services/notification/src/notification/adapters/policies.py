"""What entities have set for their people, in MongoDB: a document for each entity, topic and channel."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from rpc import Caller
from store import Collection, Index

from notification.adapters import wire
from notification.domain.decision import Rule
from notification.domain.vocabulary import Channel, Topic

_BELIEVED_SECONDS: Final = 2.0
INDEXES: Final = (Index(["entity_id", "topic"]),)


class StoredPolicies:
    """What was read is believed for two seconds: a policy is in force everywhere within five."""

    def __init__(self, policies: Collection, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._policies = policies
        self._monotonic = monotonic
        self._read: dict[tuple[str, Topic], tuple[float, Mapping[Channel, Rule]]] = {}

    async def of(self, entity_id: str, topic: Topic) -> Mapping[Channel, Rule]:
        if not entity_id:
            return {}
        at, held = self._read.get((entity_id, topic), (float("-inf"), {}))
        if self._monotonic() - at < _BELIEVED_SECONDS:
            return held
        held = await self._look_up(entity_id, topic)
        self._read[entity_id, topic] = (self._monotonic(), held)
        return held

    async def _look_up(self, entity_id: str, topic: Topic) -> Mapping[Channel, Rule]:
        found = self._policies.find({"entity_id": entity_id, "topic": topic.value})
        return {Channel(each["channel"]): Rule(each["rule"]) async for each in found if each["rule"]}

    async def all_of(self, entity_id: str) -> Mapping[tuple[Topic, Channel], Rule]:
        found = self._policies.find({"entity_id": entity_id})
        return {
            (Topic(each["topic"]), Channel(each["channel"])): Rule(each["rule"]) async for each in found if each["rule"]
        }

    async def set(self, by: Caller, topic: Topic, channel: Channel, rule: Rule | None, at: datetime) -> None:
        """Keeps the rule for the caller's entity; None: the suite's own holds again."""
        key = f"{by.entity_id}/{topic}/{channel}"
        kept = {
            "entity_id": by.entity_id,
            "topic": topic.value,
            "channel": channel.value,
            "rule": rule.value if rule else "",
        }
        details = {"topic": topic.value, "channel": channel.value, "rule": kept["rule"] or "default"}
        audited = wire.audited("notification.policy.set", by, resource=key, at=at, details=details)
        await self._policies.update(key, {"$set": kept}, upsert=True, facts=[audited])
        self._read.pop((by.entity_id, topic), None)
