import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from blobs import GivenMasters, GridFSBlobs, StoreVault, WrappedKeyring
from errors import Transient
from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo.errors import BulkWriteError
from store import Collection, Database

PUT = """
import asyncio, sys
import store
from blobs import GivenMasters, GridFSBlobs, StoreVault, WrappedKeyring

async def put(uri, name):
    database = store.connect(uri, name)
    blobs = GridFSBlobs(database, WrappedKeyring(GivenMasters([b"m" * 32]), StoreVault(database.collection("keys"))))
    await blobs.prepare()
    async def pieces():
        for _ in range(10):
            yield b"x" * 300_000
    await blobs.put("e01", pieces())

asyncio.run(put(*sys.argv[1:]))
"""


async def count(collection: Collection) -> int:
    return len([1 async for _ in collection.find({}, projection={"_id": True})])


@pytest.mark.parametrize(("point", "whole"), [("blobs.put.written", False), ("blobs.put.kept", True)])
async def test_a_process_that_dies_leaves_the_whole_or_nothing_that_can_be_read(
    database: Database, mongo: str, database_name: str, point: str, whole: bool
) -> None:
    command = [sys.executable, "-c", PUT, mongo, database_name]
    died = await asyncio.to_thread(
        subprocess.run, command, env={"ROSSIO_KILL_AT": point}, capture_output=True, check=False
    )
    assert died.returncode == -signal.SIGKILL

    blobs = GridFSBlobs(database, WrappedKeyring(GivenMasters([b"m" * 32]), StoreVault(database.collection("keys"))))
    files, chunks = database.collection("content.files"), database.collection("content.chunks")
    assert await count(files) == (1 if whole else 0)
    assert await count(chunks) == 12
    assert await blobs.sweep(datetime.now(UTC) + timedelta(minutes=1)) == (0 if whole else 1)
    assert await count(chunks) == (12 if whole else 0)
    if whole:
        file = await files.find_one({})
        assert file is not None
        assert b"".join([part async for part in blobs.get(file["filename"])]) == b"x" * 3_000_000


@pytest.mark.parametrize(("code", "reason"), [(14031, "CONTENT_FULL"), (1, "STORE_UNAVAILABLE")])
async def test_what_the_store_has_no_room_for_may_come_again_and_leaves_nothing(
    database: Database, monkeypatch: pytest.MonkeyPatch, code: int, reason: str
) -> None:
    """14031 is what MongoDB says of a full disk, 1 what the embedded store does."""

    async def refuse(*_: object) -> None:
        raise BulkWriteError({"writeErrors": [{"code": code}], "writeConcernErrors": []})

    async def pieces() -> AsyncIterator[bytes]:
        yield b"x" * 3_000_000

    blobs = GridFSBlobs(database, WrappedKeyring(GivenMasters([b"m" * 32]), StoreVault(database.collection("keys"))))
    await blobs.prepare()
    with monkeypatch.context() as full:
        full.setattr(AsyncIOMotorCollection, "insert_many", refuse)
        with pytest.raises(Transient) as refused:
            await blobs.put("e01", pieces())
    assert refused.value.reason == reason
    assert await count(database.collection("content.uploads")) == 0
    await blobs.put("e01", pieces())
