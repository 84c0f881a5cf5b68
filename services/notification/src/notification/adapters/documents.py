"""A notification as a document of the store, and back."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from store import Document, known

from notification.domain.notification import Dispatch, Notification
from notification.domain.vocabulary import Channel, Held, Lane, Status, Topic

CHANGING = ("dispatches", "read", "closed", "mail_id", "sms_id", "open_until", "due_at", "moved_at", "sealed")
"""The fields that a change may change; an index is told what has no value any more."""

REFERENCES = {Channel.EMAIL: "mail_id", Channel.SMS: "sms_id"}
"""Channel -> the field by which a message is found again that its provider speaks of."""


def written(each: Notification) -> Document:
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
    document |= _seldom(each)
    if each.in_inbox:
        document["inbox"] = each.person_id
    if each.open:
        document["open_until"] = each.expires_at
    for channel, field in REFERENCES.items():
        dispatch = each.on(channel)
        if dispatch is not None and dispatch.reference:
            names = dispatch.reference.split()
            document[field] = names if len(names) > 1 else dispatch.reference
    return document


def _seldom(each: Notification) -> Document:
    """What is the case for some notifications is written for those."""
    document: Document = {}
    if each.reference:
        document["reference"] = each.reference
    if each.turn is not None:
        document["turn"] = each.turn.total_seconds()
    if each.test:
        document["test"] = True
    if each.chunk:
        document |= {"chunk": each.chunk, "row": each.row, "round": each.round}
    if each.members:
        document["members"] = list(each.members)
    if each.followed:
        document |= {"follower": each.requested_by, "moved_at": each.moved_at}
    if each.due_at is not None:
        document["due_at"] = each.due_at
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
        **({"in_doubt": True} if each.in_doubt else {}),
        **({"due_at": each.due_at} if each.due_at is not None else {}),
        **({"held": each.held.value} if each.held else {}),
        **({"after": each.after.value} if each.after else {}),
        **({"falls_back_at": each.falls_back_at} if each.falls_back_at is not None else {}),
        **({"target": each.target} if each.target else {}),
        **({"arrived": list(each.arrived)} if each.arrived else {}),
    }


def _dispatch(found: Mapping[str, Any]) -> Dispatch:
    typed = {
        "channel": Channel(found["channel"]),
        "status": Status(found["status"]),
        "held": Held(found.get("held", "")),
        "after": Channel(found["after"]) if "after" in found else None,
        "arrived": tuple(found.get("arrived", ())),
    }
    return known(Dispatch, {**found, **typed})


def read(found: Mapping[str, Any]) -> Notification:
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
        dispatches=tuple(_dispatch(each) for each in found["dispatches"]),
        read=found["read"],
        closed=found["closed"],
        sealed={Channel(channel): bytes(sealed) for channel, sealed in found["sealed"].items()},
        reference=found.get("reference", ""),
        followed="follower" in found,
        turn=timedelta(seconds=found["turn"]) if "turn" in found else None,
        test=found.get("test", False),
        chunk=found.get("chunk", ""),
        row=found.get("row", 0),
        round=found.get("round", 1),
        members=tuple(found.get("members", ())),
        version=found["version"],
    )
