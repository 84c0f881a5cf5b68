"""Real full disks: of local content, and of a store with content in it. What is listed is read, what does not fit is
refused and is nowhere, and the same request is done when there is room.

The disks are small ones of their own (tmpfs), which only root may mount.
"""

import asyncio
import base64
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from devstack.mongo import Mongo
from testkit.small_disk import NoDisk, SmallDisk, small_disk

pytestmark = pytest.mark.usefixtures("ministry")
MIB = 1 << 20
WHOLE = os.urandom(6 * MIB + 17)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with ExitStack() as stack:
        try:
            yield stack.enter_context(small_disk(tmp_path / "disk", 128 * 1024))
        except NoDisk as lack:
            pytest.skip(str(lack))


async def stored(person: Any, request: dict[str, str]) -> Any:
    """The file, or None when it may be tried again."""
    try:
        return await person.put(WHOLE[::-1], **request)
    except grpc.aio.AioRpcError as error:
        assert error.code() is grpc.StatusCode.UNAVAILABLE, error  # noqa: PT017
        return None


async def full_and_free_again(ana: Any, disk: SmallDisk, mend: Any = None) -> None:
    """`mend` starts a store anew, from which nothing can be read until then."""
    space_id = await ana.space()
    before = await ana.put(WHOLE, parent_id=space_id, name="before")
    request = {"request_id": uuid4().hex, "parent_id": space_id, "name": "after"}
    disk.fill()
    for _ in range(2):
        assert not await stored(ana, request)
    if mend is None:
        assert await ana.names(space_id) == ["before"]
        assert await ana.get(before.node_id) == WHOLE
    disk.free()
    if mend is not None:
        mend()
    async with asyncio.timeout(60):
        while not (after := await stored(ana, request)):
            await asyncio.sleep(0.1)
    assert await ana.names(space_id) == ["after", "before"]
    assert [await ana.get(node.node_id) for node in (before, after)] == [WHOLE, WHOLE[::-1]]


async def test_a_full_disk_of_content(start_service: Any, caller: Any, disk: SmallDisk):
    program = start_service("document", ROLES="api", DATA_PATH=str(disk.folder / "data"))
    await full_and_free_again(caller(program, "doc-ana"), disk)


async def test_a_full_disk_of_the_store_that_holds_content(
    start_service: Any, caller: Any, disk: SmallDisk, tmp_path: Path
):
    mongo = Mongo(tmp_path / "mongo")
    mongo.folder.mkdir()
    (mongo.folder / "data").symlink_to(disk.folder)
    mongo.start()

    def again() -> None:
        """MongoDB ends at such a failure; the embedded store has to be told to."""
        mongo.kill()
        mongo.start()

    try:
        key = base64.b64encode(b"k" * 32).decode()
        program = start_service("document", ROLES="api", BLOBS="gridfs", BLOBS_MASTER_KEY=key, MONGODB_URI=mongo.uri)
        await full_and_free_again(caller(program, "doc-ana"), disk, again)
    finally:
        mongo.kill()
