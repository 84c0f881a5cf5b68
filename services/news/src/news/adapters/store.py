"""Posts in MongoDB."""

import json
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from directory_view import Bitmap
from errors import NotFound
from store import Collection, Document, Index, known

from news.adapters import wire
from news.application.ports import Change, Deed, Page
from news.domain.alert import Alert
from news.domain.content import Attachment, AudienceKind, Content
from news.domain.post import Approval, Live, Post, State
from news.domain.text import Variant

# What another process wrote may become visible this much after its own time: clocks differ, writes take time.
OVERLAP: Final = timedelta(seconds=10)
_DEEDS_KEPT: Final = 200
# 20 texts of at most 500 kB stay below the 16 MB of a document.
_TEXTS_KEPT: Final = 20
_ALL_BUT_HISTORY: Final = {"outbox": False, "history": False, "texts": False}

POST_INDEXES: Final = (
    Index(["in_feeds"]),
    Index(["moved_at"], sparse=True),
    Index(["due_at"], sparse=True),
    Index(["entity_id", "state", "_id"]),
)


class StoredPosts:
    """One document a post: the text in hand, what readers see with its audience as a serialised bitmap, its history.

    `moved_at` says when what readers see last changed, `due_at` when time does something next.

    Args:
        remind_before: how long before the deadline readers are reminded.
    """

    def __init__(self, posts: Collection, remind_before: tuple[timedelta, ...] = ()) -> None:
        self._posts = posts
        self._remind_before = remind_before

    async def get(self, post_id: str) -> Post:
        found = await self._posts.get(post_id, projection=_ALL_BUT_HISTORY)
        if found is None:
            raise _not_found()
        return _post(found)

    async def add(self, post: Post, change: Change) -> None:
        document = {"_id": post.post_id, **_fields(post), "history": [_deed(post, change)], "texts": [_texts(post)]}
        await self._posts.insert(document, wire.facts(post, change))

    async def replace(self, post: Post, change: Change, *, version: int) -> Post:
        saved = replace(post, version=version + 1)
        fields = _fields(saved)
        gone: Document = {}
        if saved.live is not None:
            fields["moved_at"] = change.at
        due_at = saved.due_at(self._remind_before)
        if due_at is None:
            gone["due_at"] = ""
        else:
            fields["due_at"] = due_at
        kept: Document = {"history": {"$each": [_deed(saved, change)], "$slice": -_DEEDS_KEPT}}
        if change.verb == "update":
            kept["texts"] = {"$each": [_texts(saved)], "$slice": -_TEXTS_KEPT}
        update: dict[str, Document] = {"$set": fields, "$push": kept}
        if gone:
            update["$unset"] = gone
        await self._posts.update(post.post_id, update, version=version, facts=wire.facts(saved, change))
        return saved

    async def page(self, entity_id: str, state: State, after: str | None, limit: int) -> Page:
        found = await self._posts.page(
            {"entity_id": entity_id, "state": state.value},
            "_id",
            None if after is None else (after, after),
            limit,
            projection=_ALL_BUT_HISTORY,
        )
        return Page([_post(each) for each in found.documents], found.after and str(found.after[1]))

    async def history(self, post_id: str) -> list[Deed]:
        found = await self._posts.get(post_id, projection={"history": True})
        return [known(Deed, each) for each in reversed(found["history"])] if found else []

    async def text(self, post_id: str, etag: str) -> tuple[Variant, ...]:
        found = await self._posts.get(post_id, projection={"texts": True})
        for each in reversed(found["texts"]) if found else ():
            # A version that changed no text has that of the one before.
            if int(each["etag"]) <= int(etag) if etag.isdigit() else False:
                return tuple(Variant.of(*text) for text in json.loads(zlib.decompress(each["variants"])))
        raise NotFound("no text of that version is kept", reason="VERSION_NOT_FOUND")

    async def due(self, at: datetime) -> AsyncIterator[Post]:
        async for found in self._posts.find({"due_at": {"$lte": at}}, projection=_ALL_BUT_HISTORY):
            yield _post(found)

    async def live(self) -> AsyncIterator[Post]:
        async for found in self._posts.find({"in_feeds": True}, projection=_ALL_BUT_HISTORY):
            yield _post(found)

    async def moved_since(self, moment: datetime) -> AsyncIterator[Post]:
        query = {"moved_at": {"$gt": moment - OVERLAP}}
        async for found in self._posts.find(query, projection=_ALL_BUT_HISTORY):
            yield _post(found)


def _not_found() -> NotFound:
    return NotFound("no such post", reason="POST_NOT_FOUND")


def _deed(post: Post, change: Change) -> Document:
    return {
        "verb": change.verb,
        "actor_id": change.by.subject,
        "at": change.at,
        "reason": change.reason,
        "etag": post.etag,
    }


def _texts(post: Post) -> Document:
    texts = [(each.locale, each.title, each.body) for each in post.content.variants]
    return {"etag": post.etag, "variants": zlib.compress(json.dumps(texts).encode())}


def _fields(post: Post) -> Document:
    return {
        "entity_id": post.entity_id,
        "author_id": post.author_id,
        "state": post.state.value,
        "content": _content_fields(post.content),
        "editors": list(post.editors),
        "approvals": [{"person_id": each.person_id, "at": each.at, "reason": each.reason} for each in post.approvals],
        "audience_size": post.audience_size,
        "publish_at": post.publish_at,
        "confirmed": post.confirmed,
        "in_feeds": post.in_feeds,
        "live": _live_fields(post.live) if post.live else None,
        "request": post.request,
    }


def _live_fields(live: Live) -> Document:
    return {
        "content": _content_fields(live.content),
        "people": live.people.serialize(),
        "published_at": live.published_at,
        "text_version": live.text_version,
        "reminders": live.reminders,
        "earlier": list(live.earlier),
    }


def _content_fields(content: Content) -> Document:
    alert = content.alert
    return {
        "variants": [_named(each, _VARIANT) for each in content.variants],
        "audience": content.audience,
        "audience_kind": content.audience_kind.value,
        "mandatory": content.mandatory,
        "acknowledge_by": content.acknowledge_by,
        "approvals": content.approvals,
        "expire_at": content.expire_at,
        "category": content.category,
        "pinned": content.pinned,
        "comments_closed": content.comments_closed,
        "attachments": [_named(each, _ATTACHMENT) for each in content.attachments],
        "alert": _named(alert, _ALERT) if alert else None,
    }


_VARIANT: Final = ("locale", "title", "body", "html")
_ATTACHMENT: Final = ("node_id", "name")
_ALERT: Final = ("category", "urgency", "severity", "certainty", "event", "area", "source")


def _named(thing: object, names: Sequence[str]) -> Document:
    return {name: getattr(thing, name) for name in names}


def _post(document: Mapping[str, Any]) -> Post:
    live = document["live"]
    return Post(
        post_id=document["_id"],
        entity_id=document["entity_id"],
        author_id=document["author_id"],
        content=_content(document["content"]),
        state=State(document["state"]),
        editors=tuple(document["editors"]),
        approvals=tuple(known(Approval, each) for each in document["approvals"]),
        audience_size=document["audience_size"],
        publish_at=document["publish_at"],
        confirmed=document["confirmed"],
        live=_live(live) if live else None,
        version=document["version"],
        request=document["request"],
    )


def _live(document: Mapping[str, Any]) -> Live:
    return Live(
        content=_content(document["content"]),
        people=Bitmap.deserialize(document["people"]),
        published_at=document["published_at"],
        text_version=document["text_version"],
        reminders=document["reminders"],
        earlier=tuple(document["earlier"]),
    )


def _content(document: Mapping[str, Any]) -> Content:
    alert = document["alert"]
    return known(
        Content,
        {
            **document,
            "variants": tuple(known(Variant, each) for each in document["variants"]),
            "audience_kind": AudienceKind(document["audience_kind"]),
            "attachments": tuple(known(Attachment, each) for each in document["attachments"]),
            "alert": known(Alert, alert) if alert else None,
        },
    )
