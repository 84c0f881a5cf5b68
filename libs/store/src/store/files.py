"""Large binary content in the layout of GridFS, so that its tools can read it.

The driver's own GridFS buckets keep tens of megabytes of a file in memory and know no name that is
unique; here an upload holds what its caller hands over, and the file is there, under a name that
is there only once, with the single write that ends the upload.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from bson import ObjectId
from errors import NotFound, Transient
from motor.motor_asyncio import AsyncIOMotorDatabase
from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from store.failures import translated
from store.operations import Document

_READ_AHEAD: Final = 4
_LONG_AGO: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as its bucket knows it; `length` and `chunk_size` in bytes."""

    id: ObjectId
    name: str
    length: int
    chunk_size: int
    metadata: Document


class Files:
    """A bucket: `<bucket>.files`, `<bucket>.chunks` and, ours, `<bucket>.uploads`.

    An upload under way is written down, so that the chunks of one whose process died are found.
    """

    def __init__(self, database: AsyncIOMotorDatabase[Document], bucket: str) -> None:
        self._files = database[f"{bucket}.files"]
        self._chunks = database[f"{bucket}.chunks"]
        self._uploads = database[f"{bucket}.uploads"]

    async def ensure(self) -> None:
        """Creates the indexes; needed before the first upload."""
        with translated():
            await self._files.create_indexes([IndexModel([("filename", 1)], unique=True)])
            await self._chunks.create_indexes([IndexModel([("files_id", 1), ("n", 1)], unique=True)])

    async def upload(self, *, at: datetime) -> "Upload":
        """Begins an upload at this time; it is finished or aborted, or swept later."""
        upload = Upload(ObjectId(), at, self._files, self._chunks, self._uploads)
        with translated():
            await self._uploads.insert_one({"_id": upload.id, "at": at})
        return upload

    async def stat(self, name: str) -> StoredFile | None:
        with translated():
            found = await self._files.find_one({"filename": name})
        if found is None:
            return None
        return StoredFile(found["_id"], name, found["length"], found["chunkSize"], found["metadata"])

    async def read(self, file: StoredFile, first: int, count: int) -> AsyncIterator[bytes]:
        """The chunks `first` to `first + count - 1` (from 0) in order; NotFound when one is missing."""
        expected = first
        with translated():
            query = {"files_id": file.id, "n": {"$gte": first, "$lt": first + count}}
            cursor = self._chunks.find(query, {"n": True, "data": True}).sort("n", 1).batch_size(_READ_AHEAD)
            try:
                async for chunk in cursor:
                    if chunk["n"] != expected:
                        break
                    expected += 1
                    yield chunk["data"]
            finally:
                await cursor.close()
        if expected != first + count:
            raise NotFound("A part of the file is gone.", reason="CONTENT_MISSING")

    async def delete(self, name: str) -> bool:
        """Whether there was one; it cannot be read from the first write on."""
        file = await self.stat(name)
        if file is None:
            return False
        with translated():
            await self._uploads.update_one({"_id": file.id}, {"$set": {"at": _LONG_AGO}}, upsert=True)
            await self._files.delete_one({"_id": file.id})
        await self._discard(file.id)
        return True

    async def sweep(self, before: datetime) -> int:
        """Removes what uploads begun before this time, and broken-off deletes, left; how many they were."""
        with translated():
            stale = await self._uploads.find({"at": {"$lt": before}}).to_list(None)
        for upload in stale:
            with translated():
                finished = await self._files.find_one({"_id": upload["_id"]}, {"_id": True})
                if finished is not None:
                    await self._uploads.delete_one({"_id": upload["_id"]})
            if finished is None:
                await self._discard(upload["_id"])
        return len(stale)

    async def _discard(self, file_id: ObjectId) -> None:
        with translated():
            await self._chunks.delete_many({"files_id": file_id})
            await self._uploads.delete_one({"_id": file_id})


class Upload:
    """A file on its way in: chunks in order, all of one size but the last."""

    def __init__(self, upload_id: ObjectId, at: datetime, files: Any, chunks: Any, uploads: Any) -> None:
        self.id = upload_id
        self._at = at
        self._files = files
        self._chunks = chunks
        self._uploads = uploads
        self._count = 0
        self._length = 0

    async def write(self, chunks: Sequence[bytes]) -> None:
        """Stores the next chunks in one round trip."""
        documents = [
            {"_id": ObjectId(), "files_id": self.id, "n": self._count + offset, "data": chunk}
            for offset, chunk in enumerate(chunks)
        ]
        with translated():
            await self._chunks.insert_many(documents)
        self._count += len(chunks)
        self._length += sum(map(len, chunks))

    async def finish(self, name: str, *, chunk_size: int, metadata: Document) -> bool:
        """Makes the file readable; False, and nothing is left of this upload, when the name is taken.

        After a `Transient` the file may be there or not: it must not be aborted, the sweep decides.
        """
        file = {
            "_id": self.id,
            "filename": name,
            "length": self._length,
            "chunkSize": chunk_size,
            "uploadDate": self._at,
            "metadata": metadata,
        }
        with translated():
            try:
                await self._files.insert_one(file)
            except DuplicateKeyError:
                await self.abort()
                return False
        with suppress(Transient), translated():
            await self._uploads.delete_one({"_id": self.id})
        return True

    async def abort(self) -> None:
        """Removes what was stored so far, of an upload that was not finished."""
        with translated():
            await self._chunks.delete_many({"files_id": self.id})
            await self._uploads.delete_one({"_id": self.id})
