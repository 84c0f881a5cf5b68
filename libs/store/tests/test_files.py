import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from errors import Conflict, NotFound
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorGridFSBucket
from store import Database, Files

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

CHUNKS = [bytes([n]) * 1000 for n in range(10)] + [b"end"]


@pytest.fixture
async def files(database: Database) -> Files:
    files = database.files("content")
    await files.ensure()
    return files


async def put(files: Files, name: str, chunks: list[bytes] = CHUNKS) -> bool:
    upload = await files.upload(uuid4().hex, at=NOON, metadata={})
    await upload.write(chunks[:4])
    await upload.write(chunks[4:])
    if await upload.finish(name, at=NOON, chunk_size=1000, metadata={"plain": 7}):
        return True
    await upload.abort()
    return False


async def leftovers(database: Database) -> int:
    return len([1 for part in ("chunks", "uploads") async for _ in database.collection(f"content.{part}").find({})])


async def collected(chunks: AsyncIterator[bytes]) -> list[bytes]:
    return [chunk async for chunk in chunks]


async def test_a_file_comes_back_whole_and_in_any_range_of_chunks(files: Files) -> None:
    assert await put(files, "a")
    file = await files.stat("a")
    assert file is not None
    assert (file.length, file.chunk_size, file.metadata) == (10_003, 1000, {"plain": 7})
    assert await collected(files.read(file, 0, 11)) == CHUNKS
    assert await collected(files.read(file, 3, 5)) == CHUNKS[3:8]
    assert await collected(files.read(file, 10, 1)) == [b"end"]
    assert await collected(files.read(file, 4, 0)) == []


async def test_the_layout_is_that_of_gridfs(files: Files, mongo: str, database_name: str) -> None:
    await put(files, "a")
    client: AsyncIOMotorClient[Any] = AsyncIOMotorClient(mongo)
    stream: Any = await AsyncIOMotorGridFSBucket(client[database_name], "content").open_download_stream_by_name("a")
    assert await stream.read() == b"".join(CHUNKS)
    client.close()


async def test_nothing_can_be_read_before_the_end_and_an_abort_leaves_nothing(database: Database, files: Files) -> None:
    upload = await files.upload(uuid4().hex, at=NOON, metadata={})
    await upload.write(CHUNKS)
    assert await files.stat("a") is None
    await upload.abort()
    assert await leftovers(database) == 0


async def test_of_two_under_one_name_the_first_stays_and_the_other_leaves_nothing(
    database: Database, files: Files
) -> None:
    done = await asyncio.gather(*(put(files, "a", [bytes([n]) * 10]) for n in range(5)))
    assert done.count(True) == 1
    file = await files.stat("a")
    assert file is not None
    assert await collected(files.read(file, 0, 1)) == [bytes([done.index(True)]) * 10]
    assert await leftovers(database) == 1  # its one chunk


async def test_delete_leaves_nothing(database: Database, files: Files) -> None:
    await put(files, "a")
    file = await files.stat("a")
    assert file is not None
    assert await files.delete("a")
    assert not await files.delete("a")
    assert await files.stat("a") is None
    assert await leftovers(database) == 0
    with pytest.raises(NotFound):
        await collected(files.read(file, 0, 11))


async def test_a_missing_chunk_is_told_and_not_skipped(database: Database, files: Files) -> None:
    await put(files, "a")
    file = await files.stat("a")
    assert file is not None
    chunks = database.collection("content.chunks")
    gone = await chunks.find_one({"files_id": file.id, "n": 5})
    assert gone is not None
    await chunks.delete(gone["_id"])
    with pytest.raises(NotFound) as refused:
        await collected(files.read(file, 0, 11))
    assert refused.value.reason == "CONTENT_MISSING"
    assert await collected(files.read(file, 6, 5)) == CHUNKS[6:]


async def test_the_sweep_takes_uploads_that_were_left_and_nothing_else(database: Database, files: Files) -> None:
    await put(files, "kept")
    left = await files.upload(uuid4().hex, at=NOON - timedelta(hours=2), metadata={})
    await left.write(CHUNKS)
    running = await files.upload(uuid4().hex, at=NOON, metadata={})
    await running.write(CHUNKS)
    assert await files.sweep(NOON - timedelta(hours=1)) == 1
    assert await files.sweep(NOON - timedelta(hours=1)) == 0
    assert await running.finish("late", at=NOON, chunk_size=1000, metadata={})
    for name in ("kept", "late"):
        file = await files.stat(name)
        assert file is not None
        assert await collected(files.read(file, 0, 11)) == CHUNKS
    assert await leftovers(database) == 22


async def test_an_upload_goes_on_in_another_process_after_its_tail(files: Files) -> None:
    first = await files.upload("u", at=NOON, metadata={"plain": 7})
    await first.write(CHUNKS[:3])
    await first.hold(b"tail", NOON + timedelta(hours=1))
    second = await files.resume("u")
    assert second is not None
    assert (second.tail, second.metadata) == (b"tail", {"plain": 7})
    assert await collected(second.chunks()) == CHUNKS[:3]
    await second.rewind(2, 2000)
    await second.write(CHUNKS[2:])
    with pytest.raises(Conflict):
        await first.write(CHUNKS[3:4])
    assert await files.sweep(NOON + timedelta(minutes=30)) == 0
    assert await second.finish("a", at=NOON, chunk_size=1000, metadata={})
    file = await files.stat("a")
    assert file is not None
    assert await collected(files.read(file, 0, 11)) == CHUNKS
    assert await files.resume("u") is None


async def test_a_file_that_was_touched_is_not_deleted_as_an_old_one(files: Files) -> None:
    await put(files, "a")
    assert await files.touch("a", NOON + timedelta(hours=2))
    assert not await files.delete("a", NOON + timedelta(hours=1))
    assert await files.names("", "~", 10) == [("a", NOON + timedelta(hours=2))]
    assert await files.delete("a", NOON + timedelta(hours=3))
    assert not await files.touch("a", NOON)
