"""What is purged is gone at once, and removed with what it held in any number of goes."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from rossio.document.v1 import document_pb2
from rossio.document.v1 import service_pb2 as pb

pytestmark = pytest.mark.usefixtures("ministry")
KIB = 1024


async def until_used(person: Any, space_id: str, size: int) -> None:
    async with asyncio.timeout(90):
        while (await person.do("GetQuota", space_id=space_id)).space.used != size:
            await asyncio.sleep(0.2)


@pytest.mark.parametrize("point", ["", "document.purge.emptied", "document.quota.written"])
async def test_what_is_purged_is_gone_and_gives_its_room_back(
    start_service: Any, caller: Any, refused: Any, told: Any, point: str
):
    program = start_service("document", PURGE_RESTS_SECONDS="0")
    ana = caller(program, "doc-ana")
    space_id = await ana.space()
    folder = await ana.folder(space_id, "f")
    below = await ana.folder(folder.node_id, "below")
    files = [await ana.put(bytes(KIB), parent_id=below.node_id, name=f"{number}") for number in range(3)]
    await ana.put(bytes(KIB), node_id=files[0].node_id)
    await ana.put(bytes(KIB), parent_id=space_id, name="stays")
    await ana.trash(files[1].node_id)
    await ana.trash(folder.node_id)
    if point:
        program.restart(ROSSIO_KILL_AT=point)
        ana = caller(program, "doc-ana")
    request = pb.PurgeRequest(request_id=uuid4().hex, node_id=folder.node_id)
    await asyncio.gather(ana.stub.Purge(request), return_exceptions=True)
    if point:
        await program.killed()
        program.restart(ROSSIO_KILL_AT="")
        ana = caller(program, "doc-ana")
    await until_used(ana, space_id, KIB)
    for node in (folder, below, *files):
        with refused("NOT_FOUND"):
            await ana.do("GetNode", node_id=node.node_id)
    assert list((await ana.do("ListTrash", space_id=space_id)).nodes) == []
    assert await ana.names(space_id) == ["stays"]
    assert (await told.names_about(folder.node_id, 5))[-2:] == ["NodePurged", "document.node.purge"]


async def test_only_managers_purge_and_only_what_lies_in_the_trash(start_service: Any, caller: Any, refused: Any):
    program = start_service("document")
    ana, rui = caller(program, "doc-ana"), caller(program, "doc-rui")
    space_id = await ana.space()
    await ana.share(space_id, document_pb2.ROLE_EDITOR, person_id="doc-rui")
    file = await ana.put(b"content", parent_id=space_id, name="a")
    with refused("ABORTED", "NOT_TRASHED"):
        await ana.do("Purge", node_id=file.node_id)
    await rui.trash(file.node_id)
    with refused("PERMISSION_DENIED", "ROLE"):
        await rui.do("Purge", node_id=file.node_id)
    request = pb.PurgeRequest(request_id=uuid4().hex, node_id=file.node_id)
    for _ in range(2):
        await ana.stub.Purge(request)
    with refused("NOT_FOUND"):
        await ana.do("Restore", node_id=file.node_id)
