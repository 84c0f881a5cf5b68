"""Comments and reactions in MongoDB."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from directory_view import Bitmap
from errors import Conflict, NotFound
from rpc import Caller
from store import Collection, Document, Index

from news.adapters import wire
from news.application.ports import CommentPage
from news.domain.talk import Comment, Reaction, Standing

COMMENT_INDEXES: Final = (Index(["post_id", "at", "_id"]),)
_ATTEMPTS: Final = 10


class StoredComments:
    """One document a comment."""

    def __init__(self, comments: Collection) -> None:
        self._comments = comments

    async def get(self, comment_id: str) -> Comment:
        found = await self._comments.get(comment_id)
        if found is None:
            raise NotFound("no such comment", reason="COMMENT_NOT_FOUND")
        return _comment(found)

    async def add(self, comment: Comment, by: Caller) -> Comment:
        try:
            await self._comments.insert(
                {"_id": comment.comment_id, **_fields(comment)}, [wire.commented(comment, "add", by, comment.at)]
            )
        except Conflict:
            return await self.get(comment.comment_id)
        return comment

    async def replace(self, comment: Comment, verb: str, by: Caller, at: datetime) -> Comment:
        await self._comments.update(
            comment.comment_id,
            {"$set": {"standing": comment.standing.value, "reason": comment.reason}},
            version=comment.version,
            facts=[wire.commented(comment, verb, by, at)],
        )
        return await self.get(comment.comment_id)

    async def page(
        self, post_id: str, standings: Sequence[Standing], after: tuple[datetime, str] | None, limit: int
    ) -> CommentPage:
        query = {"post_id": post_id, "standing": {"$in": [each.value for each in standings]}}
        page = await self._comments.page(query, "at", after, limit)
        return CommentPage([_comment(each) for each in page.documents], page.after)


class StoredReactions:
    """One document a post: a bitmap for each reaction."""

    def __init__(self, reactions: Collection) -> None:
        self._reactions = reactions
        # Of one process they queue up; others are met by the version.
        self._turn = asyncio.Lock()

    async def put(self, post_id: str, number: int, reaction: Reaction | None) -> None:
        async with self._turn:
            for _ in range(_ATTEMPTS):
                with suppress(Conflict):  # another process was first
                    await self._put(post_id, number, reaction)
                    return
        raise Conflict("too many react to the post at once", reason="STALE")

    async def get(self, post_id: str) -> dict[Reaction, Bitmap]:
        return _bitmaps(await self._reactions.get(post_id))

    async def _put(self, post_id: str, number: int, reaction: Reaction | None) -> None:
        held = await self._reactions.get(post_id)
        people = _bitmaps(held)
        changed: Document = {}
        for each in Reaction:
            now = people[each] | Bitmap([number]) if each is reaction else people[each] - Bitmap([number])
            if now != people[each]:
                changed[each.value] = now.serialize()
        if not changed:
            return
        if held is None:
            await self._reactions.insert({"_id": post_id, **changed})
        else:
            await self._reactions.update(post_id, {"$set": changed}, version=held["version"])


def _bitmaps(document: Mapping[str, Any] | None) -> dict[Reaction, Bitmap]:
    held = document or {}
    return {each: Bitmap.deserialize(held[each.value]) if each.value in held else Bitmap() for each in Reaction}


_PLAIN: Final = ("post_id", "entity_id", "person_id", "text", "at", "reply_to", "reason")
"""What a comment's document has under the same name, and as it is."""


def _fields(comment: Comment) -> Document:
    return {**{name: getattr(comment, name) for name in _PLAIN}, "standing": comment.standing.value}


def _comment(document: Mapping[str, Any]) -> Comment:
    return Comment(
        comment_id=document["_id"],
        standing=Standing(document["standing"]),
        version=document["version"],
        **{name: document[name] for name in _PLAIN},
    )
