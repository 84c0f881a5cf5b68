"""Large binary content in the layout of GridFS, so that its tools can read it.

The driver's own GridFS buckets keep tens of megabytes of a file in memory and know no name that is
unique; here an upload holds what its caller hands over, and the file is there, under a name that
is there only once, with the single write that ends the upload.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from bson import ObjectId
from errors import Conflict, NotFound, Transient
from motor.motor_asyncio import AsyncIOMotorCollection, AsyncIOMotorDatabase
from pymongo import IndexModel
from pymongo.errors import BulkWriteError, DuplicateKeyError

from store.failures import DUPLICATE_KEY, Commands
from store.operations import Document

_LONG_AGO: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as its bucket knows it; `length` and `chunk_size` in bytes."""

    id: str
    name: str
    length: int
    chunk_size: int
    metadata: Document


@dataclass(frozen=True, slots=True)
class _Bucket:
    """The three collections of a bucket; `uploads` is ours, and says which uploads are under way."""

    files: AsyncIOMotorCollection[Document]
    chunks: AsyncIOMotorCollection[Document]
    uploads: AsyncIOMotorCollection[Document]
    commands: Commands

    async def discard(self, file_id: str) -> None:
        with self.commands.run("discard"):
            await self.chunks.delete_many({"files_id": file_id})
            await self.uploads.delete_one({"_id": file_id})


class Files:
    """The files of a bucket, each under a name of its own."""

    def __init__(self, database: AsyncIOMotorDatabase[Document], bucket: str) -> None:
        self._bucket = _Bucket(
            files=database[f"{bucket}.files"],
            chunks=database[f"{bucket}.chunks"],
            uploads=database[f"{bucket}.uploads"],
            commands=Commands(bucket),
        )

    async def ensure(self) -> None:
        """Creates the indexes; needed before the first upload."""
        with self._bucket.commands.run("ensure"):
            await self._bucket.files.create_indexes([IndexModel([("filename", 1)], unique=True)])
            await self._bucket.chunks.create_indexes([IndexModel([("files_id", 1), ("n", 1)], unique=True)])

    async def upload(self, upload_id: str, *, at: datetime, metadata: Document) -> "Upload":
        """Begins an upload at this time; it is finished or aborted, or swept later."""
        upload = Upload(self._bucket, upload_id, metadata)
        with self._bucket.commands.run("upload"):
            await self._bucket.uploads.insert_one({"_id": upload.id, "at": at, "metadata": metadata})
        return upload

    async def resume(self, upload_id: str) -> "Upload | None":
        """An upload that was begun and not ended."""
        with self._bucket.commands.run("upload"):
            found = await self._bucket.uploads.find_one({"_id": upload_id, "metadata": {"$exists": True}})
        return None if found is None else Upload(self._bucket, upload_id, found["metadata"], found.get("tail"))

    async def stat(self, name: str) -> StoredFile | None:
        with self._bucket.commands.run("stat"):
            found = await self._bucket.files.find_one({"filename": name})
        if found is None:
            return None
        return StoredFile(found["_id"], name, found["length"], found["chunkSize"], found["metadata"])

    async def names(self, after: str, below: str, limit: int) -> list[tuple[str, datetime]]:
        """At most `limit` names between these two, and when each file was last finished or touched."""
        query = {"filename": {"$gt": after, "$lt": below}}
        with self._bucket.commands.run("find"):
            found = self._bucket.files.find(query, {"filename": True, "uploadDate": True}).sort("filename", 1)
            return [(file["filename"], file["uploadDate"]) for file in await found.limit(limit).to_list(limit)]

    async def touch(self, name: str, at: datetime) -> bool:
        """Gives a file another time; whether it is there."""
        with self._bucket.commands.run("touch"):
            return (
                await self._bucket.files.update_one({"filename": name}, {"$set": {"uploadDate": at}})
            ).matched_count > 0

    async def change(self, name: str, before: Document, after: Document) -> bool:
        """Replaces the metadata of a file; False when it is not there, or they are others by now."""
        with self._bucket.commands.run("change"):
            changed = await self._bucket.files.update_one(
                {"filename": name, "metadata": before}, {"$set": {"metadata": after}}
            )
            return changed.matched_count > 0

    async def read(self, file: StoredFile, first: int, count: int, *, ahead: int = 4) -> AsyncGenerator[bytes, None]:
        """The chunks `first` to `first + count - 1` (from 0), `ahead` of them a round trip.

        NotFound CONTENT_MISSING when one of them is not there.
        """
        end = first + count
        while first < end:
            query = {"files_id": file.id, "n": {"$gte": first, "$lt": min(first + ahead, end)}}
            with self._bucket.commands.run("read"):
                found = await self._bucket.chunks.find(query, {"n": True, "data": True}).sort("n", 1).to_list(ahead)
            for chunk in found:
                if chunk["n"] != first:
                    break
                first += 1
                yield chunk["data"]
            if first < end and len(found) < ahead:
                raise NotFound("A part of the file is gone.", reason="CONTENT_MISSING")

    async def delete(self, name: str, before: datetime | None = None) -> bool:
        """Whether there was one, finished and touched before this time only; it is gone with one write."""
        file = await self.stat(name)
        if file is None:
            return False
        query: Document = {"_id": file.id} if before is None else {"_id": file.id, "uploadDate": {"$lt": before}}
        with self._bucket.commands.run("delete"):
            await self._bucket.uploads.update_one({"_id": file.id}, {"$set": {"at": _LONG_AGO}}, upsert=True)
            deleted = (await self._bucket.files.delete_one(query)).deleted_count > 0
            if not deleted:
                await self._bucket.uploads.delete_one({"_id": file.id})
        if deleted:
            await self._bucket.discard(file.id)
        return deleted

    async def sweep(self, before: datetime) -> int:
        """Removes what uploads begun before this time, and broken-off deletes, left behind.

        Returns how many there were. No upload may still be running that began before.
        """
        with self._bucket.commands.run("sweep"):
            stale = await self._bucket.uploads.find({"at": {"$lt": before}}).to_list(None)
        for upload in stale:
            with self._bucket.commands.run("sweep"):
                finished = await self._bucket.files.find_one({"_id": upload["_id"]}, {"_id": True})
                if finished is not None:
                    await self._bucket.uploads.delete_one({"_id": upload["_id"]})
            if finished is None:
                await self._bucket.discard(upload["_id"])
        return len(stale)


class Upload:
    """A file on its way in: chunks in order, all of one size but the last, and a tail that may be replaced."""

    def __init__(self, bucket: _Bucket, upload_id: str, metadata: Document, tail: bytes | None = None) -> None:
        self.id = upload_id
        self.metadata = metadata
        self.tail = tail
        self._bucket = bucket
        self._count = 0
        self._length = 0

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """What was written, in order, without the tail."""
        index = 0
        while True:
            with self._bucket.commands.run("read"):
                chunk = await self._bucket.chunks.find_one({"files_id": self.id, "n": index}, {"data": True})
            if chunk is None:
                return
            yield bytes(chunk["data"])
            index += 1

    async def write(self, chunks: Sequence[bytes]) -> None:
        """Stores the next chunks in one round trip; Conflict when another writer has stored one of them."""
        if not chunks:
            return
        documents: list[Document] = [
            {"_id": ObjectId(), "files_id": self.id, "n": self._count + offset, "data": chunk}
            for offset, chunk in enumerate(chunks)
        ]
        with self._bucket.commands.run("write"):
            try:
                await self._bucket.chunks.insert_many(documents)
            except BulkWriteError as error:
                if DUPLICATE_KEY in {refused["code"] for refused in error.details["writeErrors"]}:
                    raise Conflict("Another writer was here.", reason="STALE") from error
                raise
        self._count += len(chunks)
        self._length += sum(map(len, chunks))

    async def hold(self, tail: bytes, at: datetime) -> None:
        """Keeps the tail, and puts off the sweep to this time; Conflict when another writer has kept one."""
        seen: Document = {"_id": self.id, "tail": self.tail}
        with self._bucket.commands.run("hold"):
            held = await self._bucket.uploads.update_one(seen, {"$set": {"tail": tail, "at": at}})
        if not held.matched_count:
            raise Conflict("Another writer was here.", reason="STALE")
        self.tail = tail

    async def rewind(self, count: int, length: int) -> None:
        """Removes all but the first `count` chunks, which have that length together."""
        with self._bucket.commands.run("rewind"):
            await self._bucket.chunks.delete_many({"files_id": self.id, "n": {"$gte": count}})
        self._count, self._length = count, length

    async def finish(self, name: str, *, at: datetime, chunk_size: int, metadata: Document) -> bool:
        """Makes the file readable; False when the name is taken.

        After a `Transient` the file may be there or not: it must not be aborted, the sweep decides.
        """
        file: Document = {
            "_id": self.id,
            "filename": name,
            "length": self._length,
            "chunkSize": chunk_size,
            "uploadDate": at,
            "metadata": metadata,
        }
        with self._bucket.commands.run("finish"):
            try:
                await self._bucket.files.insert_one(file)
            except DuplicateKeyError:
                return False
        with suppress(Transient), self._bucket.commands.run("finish"):  # the sweep does it else
            await self._bucket.uploads.delete_one({"_id": self.id})
        return True

    async def abort(self) -> None:
        """Removes what was stored so far, of an upload that was not finished."""
        await self._bucket.discard(self.id)
