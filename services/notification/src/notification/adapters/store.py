"""Notifications and inboxes in MongoDB: one document for each person told of one thing."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from collections.abc import Collection as Several
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

import telemetry
from errors import Conflict
from rpc import Caller
from store import ASCENDING, Collection, Document, Index, Insert
from store import Change as Update

from notification.adapters import wire
from notification.domain.notification import Dispatch, Notification
from notification.domain.vocabulary import Channel, Lane, Status, Topic

_PAGE: Final = 200
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_AT_ITS_TIME: Final = timedelta(0)

INDEXES: Final = (
    Index(["key"], unique=True),
    # `inbox` is the person in whose inbox it stands, and is missing where it stands in none.
    Index(["inbox", "_id"]),
    Index(["inbox", "read", "_id"]),
    Index(["mail_id"], sparse=True),
    Index(["open_until"], sparse=True),
    Index(["kept_until"], expire_after=_AT_ITS_TIME),
)


class StoredNotifications:
    """Each write carries the facts that it makes true; what is counted is counted with them."""

    def __init__(self, notifications: Collection) -> None:
        self._notifications = notifications

    async def get(self, notification_id: str) -> Notification | None:
        return _read(await self._notifications.get(notification_id))

    async def named(self, key: str) -> Notification | None:
        return _read(await self._notifications.find_one({"key": key}))

    async def mailed(self, reference: str) -> Notification | None:
        return _read(await self._notifications.find_one({"mail_id": reference}))

    async def add(self, notifications: Sequence[Notification]) -> None:
        result = await self._notifications.bulk([Insert(_written(each), list(_facts(each))) for each in notifications])
        there_already = set(result.refused)
        for index, each in enumerate(notifications):
            if index not in there_already:
                _count_new(each)

    async def request(self, notification: Notification, by: Caller) -> None:
        asked = wire.audited(
            "notification.prescription.send",
            by,
            resource=notification.notification_id,
            at=notification.at,
            details={"channels": ",".join(each.channel for each in notification.dispatches if each.send)},
        )
        try:
            await self._notifications.insert(_written(notification), [*_facts(notification), asked])
        except Conflict:
            return
        _count_new(notification)

    async def change(self, notification_id: str, change: Callable[[Notification], Notification]) -> Notification | None:
        while True:
            before = await self.get(notification_id)
            if before is None:
                return None
            after = change(before)
            if after == before:
                return before
            moved = [
                now for was, now in zip(before.dispatches, after.dispatches, strict=True) if was.status != now.status
            ]
            try:
                await self._notifications.update(
                    notification_id,
                    _update(_written(after)),
                    version=before.version,
                    facts=list(wire.reports(after, moved)),
                )
            except Conflict:
                continue
            for dispatch in moved:
                _outcome(after.lane, dispatch.channel, dispatch.status)
            return after

    async def expired(self, at: datetime) -> AsyncIterator[Notification]:
        async for found in self._notifications.find({"open_until": {"$gt": _EPOCH, "$lte": at}}):
            yield _notification(found)

    # The inbox of a person

    async def before(self, person_id: str, item_id: str, limit: int, *, unread_only: bool) -> list[Notification]:
        query = {"inbox": person_id, "read": False} if unread_only else {"inbox": person_id}
        after = (item_id, item_id) if item_id else None
        page = await self._notifications.page(query, "_id", after, limit, descending=True)
        return [_notification(found) for found in page.documents]

    async def after(self, person_id: str, item_id: str) -> AsyncIterator[Notification]:
        position: Any = (item_id, item_id)
        while position is not None:
            page = await self._notifications.page({"inbox": person_id}, "_id", position, _PAGE)
            for found in page.documents:
                yield _notification(found)
            position = page.after

    async def these(self, item_ids: Several[str]) -> AsyncIterator[Notification]:
        found = self._notifications.find({"_id": {"$in": list(item_ids)}}, sort=[("_id", ASCENDING)])
        async for document in found:
            if "inbox" in document:
                yield _notification(document)

    async def of(self, person_id: str, item_ids: Several[str]) -> set[str]:
        query = {"_id": {"$in": list(item_ids)}, "inbox": person_id}
        return {found["_id"] async for found in self._notifications.find(query, projection={"_id": True})}

    async def unread(self, person_id: str, most: int) -> int:
        query = {"inbox": person_id, "read": False}
        found = self._notifications.find(query, limit=most, projection={"_id": True})
        return len([document async for document in found])

    async def mark_read(self, item_ids: Several[str]) -> None:
        await self._notifications.bulk([Update(item_id, {"$set": {"read": True}}) for item_id in item_ids])


def _update(written: Document) -> dict[str, Document]:
    """The update of what may change; an index is told what has no value any more."""
    changed: Document = {
        name: written[name] for name in ("dispatches", "read", "closed", "mail_id", "open_until") if name in written
    }
    gone: Document = {name: "" for name in ("mail_id", "open_until") if name not in written}
    return {"$set": changed, "$unset": gone} if gone else {"$set": changed}


def _facts(notification: Notification) -> Iterable[Any]:
    arrived = [each for each in notification.dispatches if each.status is Status.DELIVERED]
    yield from wire.requests(notification, notification.at)
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


def _written(each: Notification) -> Document:
    document: Document = {
        "_id": each.notification_id,
        "key": each.key,
        "topic": each.topic.value,
        "lane": each.lane.value,
        "entity_id": each.entity_id,
        "person_id": each.person_id,
        "requested_by": each.requested_by,
        # Pairs: a locale is no name of a field.
        "titles": [list(pair) for pair in each.titles.items()],
        "subject_id": each.subject_id,
        "at": each.at,
        "expires_at": each.expires_at,
        "kept_until": each.kept_until,
        "read": each.read,
        "closed": each.closed,
        "dispatches": [_dispatch_written(dispatch) for dispatch in each.dispatches],
        "sealed": {channel.value: sealed for channel, sealed in each.sealed.items()},
    }
    if each.in_inbox:
        document["inbox"] = each.person_id
    if each.open:
        document["open_until"] = each.expires_at
    mail = each.on(Channel.EMAIL)
    if mail is not None and mail.reference:
        document["mail_id"] = mail.reference
    return document


def _dispatch_written(each: Dispatch) -> Document:
    return {
        "channel": each.channel.value,
        "send": each.send,
        "reason": each.reason,
        "status": each.status.value,
        "at": each.at,
        "provider": each.provider,
        "reference": each.reference,
        "attempts": each.attempts,
    }


def _read(found: Mapping[str, Any] | None) -> Notification | None:
    return None if found is None else _notification(found)


def _notification(found: Mapping[str, Any]) -> Notification:
    return Notification(
        notification_id=found["_id"],
        key=found["key"],
        topic=Topic(found["topic"]),
        lane=Lane(found["lane"]),
        entity_id=found["entity_id"],
        person_id=found["person_id"],
        requested_by=found["requested_by"],
        titles=dict(found["titles"]),
        subject_id=found["subject_id"],
        at=found["at"],
        expires_at=found["expires_at"],
        kept_until=found["kept_until"],
        dispatches=tuple(
            Dispatch(**{**each, "channel": Channel(each["channel"]), "status": Status(each["status"])})
            for each in found["dispatches"]
        ),
        read=found["read"],
        closed=found["closed"],
        sealed={Channel(channel): bytes(sealed) for channel, sealed in found["sealed"].items()},
        version=found["version"],
    )
