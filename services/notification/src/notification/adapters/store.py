"""Notifications and inboxes in MongoDB: one document for each person told of one thing."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from collections.abc import Collection as Several
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

import telemetry
from rpc import Caller
from store import ASCENDING, Change, Collection, Document, Grouped, Index, Insert, OutboxRecord

from notification.adapters import documents, wire
from notification.adapters.documents import read, written
from notification.domain.notification import Notification
from notification.domain.vocabulary import Channel, Lane, Status, Topic

_PAGE: Final = 200
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_AT_ITS_TIME: Final = timedelta(0)
_TOGETHER: Final = 100
"""Of one commit at most: so many an emergency waits for."""

INDEXES: Final = (
    Index(["key"], unique=True),
    # `inbox` is the person in whose inbox it stands, and is missing where it stands in none.
    Index(["inbox", "_id"]),
    Index(["inbox", "read", "_id"]),
    Index(["mail_id"], sparse=True),
    Index(["sms_id"], sparse=True),
    Index(["open_until"], sparse=True),
    Index(["due_at"], sparse=True),
    Index(["chunk"], sparse=True),
    # `follower` is who asked for it by a template.
    Index(["follower", "moved_at"], sparse=True),
    Index(["kept_until"], expire_after=_AT_ITS_TIME),
)


Publish = Callable[[Sequence[OutboxRecord]], Awaitable[None]]


class StoredNotifications:
    """Each write carries the facts that it makes true; what is counted is counted with them.

    `publish` takes what cannot wait for the relay, behind which there may be a hundred thousand others.
    """

    def __init__(self, notifications: Collection, publish: Publish) -> None:
        self._notifications = notifications
        self._publish = publish
        self._look = Grouped(self._get_together, most=_TOGETHER)
        self._named = Grouped(self._named_together, most=_TOGETHER)
        self._texted = Grouped(self._texted_together, most=_TOGETHER)
        self._insert = Grouped(self._insert_together, most=_TOGETHER)
        self._change = Grouped(self._change_together, most=_TOGETHER)
        self._published = Grouped(self._published_together, most=_TOGETHER)

    async def get(self, notification_id: str) -> Notification | None:
        return _found(await self._look(notification_id))

    async def named(self, key: str) -> Notification | None:
        return _found(await self._named(key))

    async def mailed(self, reference: str) -> Notification | None:
        return _found(await self._notifications.find_one({"mail_id": reference}))

    async def texted(self, reference: str) -> Notification | None:
        return _found(await self._texted(reference))

    async def of_chunk(self, chunk: str) -> AsyncIterator[Notification]:
        async for found in self._notifications.find({"chunk": chunk}):
            yield read(found)

    async def add(self, notifications: Sequence[Notification]) -> None:
        result = await self._notifications.bulk([Insert(written(each), list(_facts(each))) for each in notifications])
        there_already = set(result.refused)
        for index, each in enumerate(notifications):
            if index not in there_already:
                _count_new(each)

    async def take_in(self, notifications: Sequence[Notification]) -> None:
        result = await self._notifications.bulk([Insert(written(each)) for each in notifications])
        there_already = set(result.refused)
        for index, each in enumerate(notifications):
            if index not in there_already:
                _count_new(each)
        telemetry.points.reached("notification.bulk.taken")
        if there_already:
            # Somebody was here before, and had ids of its own.
            chunk, round_ = notifications[0].chunk, notifications[0].round
            notifications = [each async for each in self.of_chunk(chunk) if each.round == round_]
        await self._publish([fact for each in notifications for fact in _facts(each)])

    async def request(self, notification: Notification, by: Caller) -> Notification:
        action = "prescription" if notification.topic is Topic.PRESCRIPTION else "message"
        asked = wire.audited(
            f"notification.{action}.send",
            by,
            resource=notification.notification_id,
            at=notification.at,
            details={"channels": ",".join(each.channel for each in notification.dispatches if each.send)},
        )
        facts = [*_facts(notification), asked]
        urgent = notification.lane is Lane.EMERGENCY
        if not await self._insert(Insert(written(notification), facts), first=urgent):
            return await self.named(notification.key) or notification
        telemetry.points.reached("notification.taken")
        _count_new(notification)
        if urgent:
            # Should the process die here, or the relay be faster, it is told twice, and sent once.
            await self._publish(facts)
            await self._published((notification.notification_id, [each.id for each in facts]))
        return notification

    async def due(self, at: datetime) -> AsyncIterator[Notification]:
        async for found in self._notifications.find({"due_at": {"$gt": _EPOCH, "$lte": at}}):
            yield read(found)

    async def moved(self, caller_id: str, since: datetime) -> AsyncIterator[Notification]:
        position: Any = (since, "")
        while position is not None:
            page = await self._notifications.page({"follower": caller_id}, "moved_at", position, _PAGE)
            for found in page.documents:
                yield read(found)
            position = page.after

    async def followed(self, notification_ids: Several[str]) -> AsyncIterator[Notification]:
        async for found in self._notifications.find({"_id": {"$in": list(notification_ids)}}):
            if "follower" in found:
                yield read(found)

    async def change(
        self,
        notification_id: str,
        change: Callable[[Notification], Notification],
        known: Notification | None = None,
    ) -> Notification | None:
        while True:
            before, known = known or await self.get(notification_id), None
            if before is None:
                return None
            after = change(before)
            if after == before:
                return before
            pairs = list(zip(before.dispatches, after.dispatches, strict=True))
            moved = [now for was, now in pairs if was.status != now.status]
            released = [now for was, now in pairs if now.ready and not was.ready]
            facts = [*wire.reports(after, moved), *wire.requests(after, released, after.moved_at)]
            update = _update(written(before), written(after))
            wanted = Change(notification_id, update, {"version": before.version}, facts=facts)
            if not await self._change(wanted, first=after.lane is Lane.EMERGENCY):
                continue
            for dispatch in moved:
                _outcome(after.lane, dispatch.channel, dispatch.status)
            return replace(after, version=before.version + 1)

    async def expired(self, at: datetime) -> AsyncIterator[Notification]:
        async for found in self._notifications.find({"open_until": {"$gt": _EPOCH, "$lte": at}}):
            yield read(found)

    # What several callers ask for at a time

    async def _get_together(self, notification_ids: Sequence[str]) -> list[Document | None]:
        if len(notification_ids) == 1:
            return [await self._notifications.get(notification_ids[0])]
        several = self._notifications.find({"_id": {"$in": list(set(notification_ids))}})
        found = {document["_id"]: document async for document in several}
        return [found.get(each) for each in notification_ids]

    async def _named_together(self, keys: Sequence[str]) -> list[Document | None]:
        if len(keys) == 1:
            return [await self._notifications.find_one({"key": keys[0]})]
        several = self._notifications.find({"key": {"$in": list(set(keys))}})
        found = {document["key"]: document async for document in several}
        return [found.get(each) for each in keys]

    async def _texted_together(self, references: Sequence[str]) -> list[Document | None]:
        """A message of several parts is known by each of them."""
        found: dict[str, Document] = {}
        async for document in self._notifications.find({"sms_id": {"$in": list(set(references))}}):
            names = document["sms_id"]
            found |= dict.fromkeys(names if isinstance(names, list) else [names], document)
        return [found.get(each) for each in references]

    async def _insert_together(self, inserts: Sequence[Insert]) -> list[bool]:
        refused = set((await self._notifications.bulk(inserts)).refused)
        return [index not in refused for index in range(len(inserts))]

    async def _change_together(self, changes: Sequence[Change]) -> list[bool]:
        """Of several changes of one document, the first: the others know then that they were not."""
        first: dict[str, Change] = {}
        for each in changes:
            first.setdefault(each.id, each)
        made = dict(zip(first, await self._notifications.together(list(first.values())), strict=True))
        return [first[each.id] is each and made[each.id] for each in changes]

    async def _published_together(self, done: Sequence[tuple[str, Sequence[str]]]) -> list[None]:
        await self._notifications.published_all(done)
        return [None] * len(done)

    # The inbox of a person

    async def before(self, person_id: str, item_id: str, limit: int, *, unread_only: bool) -> list[Notification]:
        query = {"inbox": person_id, "read": False} if unread_only else {"inbox": person_id}
        after = (item_id, item_id) if item_id else None
        page = await self._notifications.page(query, "_id", after, limit, descending=True)
        return [read(found) for found in page.documents]

    async def after(self, person_id: str, item_id: str) -> AsyncIterator[Notification]:
        position: Any = (item_id, item_id)
        while position is not None:
            page = await self._notifications.page({"inbox": person_id}, "_id", position, _PAGE)
            for found in page.documents:
                yield read(found)
            position = page.after

    async def these(self, item_ids: Several[str]) -> AsyncIterator[Notification]:
        found = self._notifications.find({"_id": {"$in": list(item_ids)}}, sort=[("_id", ASCENDING)])
        async for document in found:
            if "inbox" in document:
                yield read(document)

    async def of(self, person_id: str, item_ids: Several[str]) -> set[str]:
        query = {"_id": {"$in": list(item_ids)}, "inbox": person_id}
        return {found["_id"] async for found in self._notifications.find(query, projection={"_id": True})}

    async def unread(self, person_id: str, most: int) -> int:
        query = {"inbox": person_id, "read": False}
        found = self._notifications.find(query, limit=most, projection={"_id": True})
        return len([document async for document in found])

    async def mark_read(self, item_ids: Several[str], by: Caller, at: datetime) -> None:
        read_now = {"$set": {"read": True, "read_at": at}}
        await self._notifications.bulk(
            [
                Change(item_id, read_now, {"read": False}, facts=[wire.read_fact(item_id, by, at)])
                for item_id in item_ids
            ]
        )

    async def read_since(self, person_id: str, since: datetime) -> set[str]:
        query = {"inbox": person_id, "read": True, "read_at": {"$gt": since}}
        return {found["_id"] async for found in self._notifications.find(query, projection={"_id": True})}


def _update(before: Document, after: Document) -> dict[str, Document]:
    """What has changed; an index is told what has no value any more."""
    changed: Document = {
        name: after[name] for name in documents.CHANGING if name in after and after[name] != before.get(name)
    }
    gone: Document = {name: "" for name in documents.CHANGING if name in before and name not in after}
    return {operator: fields for operator, fields in (("$set", changed), ("$unset", gone)) if fields}


def _facts(notification: Notification) -> Iterable[Any]:
    arrived = [each for each in notification.dispatches if each.status is Status.DELIVERED]
    yield from wire.requests(notification, [each for each in notification.dispatches if each.ready], notification.at)
    yield from wire.reports(notification, arrived)


def _count_new(notification: Notification) -> None:
    _requested(notification.lane)
    for dispatch in notification.dispatches:
        if dispatch.status.final:
            _outcome(notification.lane, dispatch.channel, dispatch.status)


@cache
def _requested_of(lane: Lane) -> telemetry.Count:
    return telemetry.names.NOTIFICATION_REQUESTED.bind(lane=lane.value)


def _requested(lane: Lane) -> None:
    _requested_of(lane).inc()


@cache
def _outcome_of(lane: Lane, channel: Channel, status: Status) -> telemetry.Count:
    return telemetry.names.NOTIFICATION_OUTCOME.bind(lane=lane.value, channel=channel.value, outcome=status.value)


def _outcome(lane: Lane, channel: Channel, status: Status) -> None:
    _outcome_of(lane, channel, status).inc()


def _found(document: Document | None) -> Notification | None:
    return None if document is None else read(document)
