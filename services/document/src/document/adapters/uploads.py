"""Uploads under way in MongoDB: one document each."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from errors import Conflict
from store import Collection, Document, Index, known

from document.domain.content import Announced, Stored
from document.domain.uploading import NewFile, NewVersion, Target, Uploading

INDEXES = (Index(["expires_at"]),)


class UploadStore:
    """The port `Uploads`."""

    def __init__(self, uploads: Collection) -> None:
        self._uploads = uploads

    async def find(self, upload_id: str) -> Uploading | None:
        document = await self._uploads.get(upload_id)
        return _uploading(document) if document else None

    async def add(self, uploading: Uploading) -> bool:
        try:
            await self._uploads.insert({"_id": uploading.upload_id, **_document(uploading)})
        except Conflict:
            return False
        return True

    async def change(self, uploading: Uploading) -> None:
        await self._uploads.update(uploading.upload_id, {"$set": _document(uploading)})

    async def remove(self, upload_id: str) -> None:
        await self._uploads.delete(upload_id)

    async def expired(self, now: datetime, limit: int) -> Sequence[Uploading]:
        found = self._uploads.find({"expires_at": {"$lte": now}}, limit=limit)
        return [_uploading(document) async for document in found]


def _document(uploading: Uploading) -> Document:
    document = asdict(uploading)
    del document["upload_id"]
    return document


def _uploading(document: Document) -> Uploading:
    stored = document["stored"]
    return Uploading(
        upload_id=document["_id"],
        owner_id=document["owner_id"],
        entity_id=document["entity_id"],
        target=_target(document["target"]),
        announced=known(Announced, document["announced"]),
        draft=document["draft"],
        expires_at=document["expires_at"],
        stored=known(Stored, stored) if stored else None,
        node_id=document["node_id"],
        metadata=document.get("metadata", ""),
    )


def _target(document: Document) -> Target:
    return known(NewFile, document) if "parent_id" in document else known(NewVersion, document)
