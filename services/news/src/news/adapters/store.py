"""Posts and acknowledgements in MongoDB."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from collections.abc import Collection as Several
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from directory_view import Bitmap
from errors import Conflict, NotFound
from store import Collection, Document, Index

from news.adapters import wire
from news.application.ports import Acknowledgement, Change
from news.domain.post import Content, Post, State, Variant

# What another process wrote may become visible this much after its own time: clocks differ, writes take time.
_OVERLAP: Final = timedelta(seconds=10)
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_VERSIONS_HELD: Final = 256

POST_INDEXES: Final = (Index(["state"]), Index(["moved_at"], sparse=True))
ACKNOWLEDGEMENT_INDEXES: Final = (Index(["post_id", "text_version", "at"]),)


class StoredPosts:
    """One document a post, its frozen audience in it as a serialised bitmap.

    `moved_at` says when the post last came into or went out of the feeds.
    """

    def __init__(self, posts: Collection) -> None:
        self._posts = posts

    async def get(self, post_id: str) -> Post:
        found = await self._posts.get(post_id)
        if found is None:
            raise NotFound("no such post", reason="POST_NOT_FOUND")
        return _post(found)

    async def add(self, post: Post, change: Change) -> None:
        await self._posts.insert({"_id": post.post_id, **_fields(post)}, wire.facts(post, change))

    async def replace(self, post: Post, change: Change, *, version: int) -> Post:
        saved = replace(post, version=version + 1)
        fields = _fields(post)
        if change.verb in {"publish", "retract"}:
            fields["moved_at"] = change.at
        await self._posts.update(post.post_id, {"$set": fields}, version=version, facts=wire.facts(saved, change))
        return saved

    async def live(self) -> AsyncIterator[Post]:
        async for found in self._posts.find({"state": State.PUBLISHED.value}):
            yield _post(found)

    async def moved_since(self, moment: datetime) -> AsyncIterator[Post]:
        async for found in self._posts.find({"moved_at": {"$gt": moment - _OVERLAP}}):
            yield _post(found)


class StoredAcknowledgements:
    """One document an acknowledgement: this is what a person did, and the document's id makes it unique.

    The bitmap of a version is derived: it is kept for the versions asked about last and brought up to
    date with what came since.
    """

    def __init__(self, acknowledgements: Collection) -> None:
        self._acknowledgements = acknowledgements
        self._known: OrderedDict[tuple[str, int], tuple[Bitmap, datetime]] = OrderedDict()

    async def add(self, acknowledgement: Acknowledgement) -> bool:
        document = {
            "_id": _key(acknowledgement.post_id, acknowledgement.text_version, acknowledgement.person_id),
            "post_id": acknowledgement.post_id,
            "text_version": acknowledgement.text_version,
            "number": acknowledgement.number,
            "at": acknowledgement.at,
        }
        try:
            await self._acknowledgements.insert(document, [wire.acknowledged(acknowledgement)])
        except Conflict:
            return False
        return True

    async def of(self, person_id: str, versions: Several[tuple[str, int]]) -> set[str]:
        keys = [_key(post_id, text_version, person_id) for post_id, text_version in versions]
        found = self._acknowledgements.find({"_id": {"$in": keys}}, projection={"post_id": True})
        return {document["post_id"] async for document in found}

    async def numbers(self, post_id: str, text_version: int) -> Bitmap:
        held, last = self._known.pop((post_id, text_version), (Bitmap(), _EPOCH))
        query = {"post_id": post_id, "text_version": text_version, "at": {"$gt": last - _OVERLAP}}
        async for document in self._acknowledgements.find(query, projection={"number": True, "at": True}):
            held.add(document["number"])
            last = max(last, document["at"])
        self._known[post_id, text_version] = held, last
        if len(self._known) > _VERSIONS_HELD:
            self._known.popitem(last=False)
        return held


def _key(post_id: str, text_version: int, person_id: str) -> str:
    return f"{post_id}/{text_version}/{person_id}"


def _fields(post: Post) -> Document:
    content = post.content
    return {
        "entity_id": post.entity_id,
        "author_id": post.author_id,
        "state": post.state.value,
        "variants": [
            {"locale": each.locale, "title": each.title, "body": each.body, "html": each.html}
            for each in content.variants
        ],
        "audience": content.audience,
        "mandatory": content.mandatory,
        "acknowledge_by": content.acknowledge_by,
        "people": post.people.serialize(),
        "published_at": post.published_at,
        "text_version": post.text_version,
        "request": post.request,
    }


def _post(document: Mapping[str, Any]) -> Post:
    return Post(
        post_id=document["_id"],
        entity_id=document["entity_id"],
        author_id=document["author_id"],
        content=Content(
            variants=tuple(Variant(**each) for each in document["variants"]),
            audience=document["audience"],
            mandatory=document["mandatory"],
            acknowledge_by=document["acknowledge_by"],
        ),
        state=State(document["state"]),
        people=Bitmap.deserialize(document["people"]),
        published_at=document["published_at"],
        text_version=document["text_version"],
        version=document["version"],
        request=document["request"],
    )
