"""Content in MongoDB and in a bucket when the process dies at any named point; local content: test_local.py, and the
tests of document.
"""

import asyncio
import json
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from blobs import Blobs
from errors import NotFound
from testkit.s3 import ACCESS_KEY, REGION, S3, SECRET_KEY

DEEDS = """
import asyncio, json, sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
import store
from blobs import GivenMasters, GridFSBlobs, StoreVault, WrappedKeyring
from blobs.s3 import Bucket, S3Blobs
from errors import NotFound

async def main(uri, name, bucket):
    database = store.connect(uri, name)
    masters = GivenMasters([b"n" * 32, b"m" * 32])
    keyring = WrappedKeyring(masters, StoreVault(database.collection("keys")))
    blobs = S3Blobs(Bucket(*json.loads(bucket)), keyring) if bucket else GridFSBlobs(database, keyring)
    await blobs.prepare()
    soon = datetime.now(UTC) + timedelta(hours=1)

    async def pieces(number):
        for _ in range(20):
            yield bytes([number]) * 300_000

    kept = [(await blobs.put("e01", pieces(number))).ref for number in range(3)]
    draft = await blobs.begin("e01")
    async with blobs.resume(draft) as incoming:
        await incoming.write(b"in several goes")
        kept.append((await incoming.keep()).ref)
    loose = (await blobs.put("e01", pieces(9))).ref
    with suppress(NotFound):  # the second time it may be shredded
        await blobs.put("e02", pieces(0))
    await blobs.rotate("e01")
    await blobs.finish_rotations(soon)

    async def referenced(refs):
        return [ref for ref in refs if ref != loose]

    await blobs.collect(referenced, soon)
    await blobs.shred("e02")
    print(json.dumps([*kept, loose]))

asyncio.run(main(*sys.argv[1:]))
"""
POINTS = [
    "blobs.put.written",
    "blobs.put.written:4",
    "blobs.put.kept",
    "blobs.put.kept:4",
    "blobs.rotate.renewed",
    "blobs.rotate.wrapped:2",
    "blobs.rotate.rewrapped",
    "blobs.collect.found",
    "blobs.collect.deleted",
    "blobs.shred.begun",
    "blobs.shred.destroyed",
    "blobs.shred.rewrapped",
]


def done(point: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", DEEDS, *words]
    return subprocess.run(command, env={"ROSSIO_KILL_AT": point}, capture_output=True, check=False)


async def read(blobs: Blobs, ref: str) -> bytes:
    return b"".join([part async for part in blobs.get(ref)])


@pytest.fixture
def place(request: pytest.FixtureRequest, kind: str, mongo: str, database_name: str) -> list[str]:
    """Where the deeds are done."""
    if kind == "gridfs":
        return [mongo, database_name, ""]
    server: S3 = request.getfixturevalue("s3")
    bucket = [server.endpoint, request.getfixturevalue("bucket"), REGION, ACCESS_KEY, SECRET_KEY]
    return [mongo, database_name, json.dumps(bucket)]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize(
    ("kind", "bench", "pieces"), [("gridfs", "gridfs", 4 * 23 + 1), ("s3", "s3", 4 * 2 + 1)], indirect=["bench"]
)
async def test_the_same_again_ends_what_a_death_broke_off(
    bench: Any, place: list[str], pieces: int, point: str
) -> None:
    """What was kept is read in the end; of what was not referred to, or was under way, nothing lies there."""
    assert (await asyncio.to_thread(done, point, *place)).returncode == -signal.SIGKILL
    ended = await asyncio.to_thread(done, "", *place)
    assert ended.returncode == 0, ended.stderr.decode()
    *kept, loose = json.loads(ended.stdout)
    blobs = await bench.open([b"n" * 32])
    contents = [await read(blobs, ref) for ref in kept]
    assert contents == [*(bytes([number]) * 6_000_000 for number in range(3)), b"in several goes"]
    with pytest.raises(NotFound):
        await read(blobs, loose)
    await blobs.sweep(datetime.now(UTC) + timedelta(hours=1))
    assert len(await bench.stored()) == pieces
