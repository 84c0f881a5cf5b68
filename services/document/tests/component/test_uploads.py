"""Uploads that go wrong, that come twice, and a process that is killed between any two effects."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from rossio.document.v1 import document_pb2
from rossio.document.v1 import service_pb2 as pb

pytestmark = pytest.mark.usefixtures("ministry")
CHUNK = b"r" * 256 * 1024


def header(parent_id: str, content: bytes, **said: Any) -> pb.UploadRequest:
    fields = {"request_id": uuid4().hex, "parent_id": parent_id, "name": "a.bin", "size": len(content)}
    return pb.UploadRequest(header=pb.UploadHeader(**{**fields, **said}))


async def stream(*parts: pb.UploadRequest) -> AsyncIterator[pb.UploadRequest]:
    for part in parts:
        yield part


async def test_an_upload_that_the_client_breaks_off_leaves_nothing(start_service: Any, caller: Any):
    program = start_service("document", ROLES="api")  # an index comes and goes in its own time
    ana = caller(program, "doc-ana")
    space_id = await ana.space()
    await ana.put(b"something", parent_id=space_id, name="before")
    before = stored_files(program.folder)
    arrived = asyncio.Event()

    async def endless() -> AsyncIterator[pb.UploadRequest]:
        yield header(space_id, CHUNK * 1000)
        for _ in range(40):
            yield pb.UploadRequest(chunk=CHUNK)
        arrived.set()
        await asyncio.Event().wait()

    call = ana.stub.Upload(endless())
    await arrived.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await ana.names(space_id) == ["before"]
    async with asyncio.timeout(30):
        while stored_files(program.folder) != before:
            await asyncio.sleep(0.05)
    assert (await ana.put(b"whole", parent_id=space_id, name="a.bin")).version.size == 5


def stored_files(folder: Path) -> set[Path]:
    return {path for path in (folder / "data").rglob("*") if path.is_file()}


async def test_content_other_than_announced_is_refused_and_leaves_no_file(
    start_service: Any, caller: Any, refused: Any
):
    ana = caller(start_service("document"), "doc-ana")
    space_id = await ana.space()
    chunk = pb.UploadRequest(chunk=CHUNK)
    other = hashlib.sha256(b"other").hexdigest()
    with refused("INVALID_ARGUMENT", "SIZE_MISMATCH"):
        await ana.stub.Upload(stream(header(space_id, CHUNK * 2), chunk))
    with refused("INVALID_ARGUMENT", "SIZE_MISMATCH"):
        await ana.stub.Upload(stream(header(space_id, CHUNK), chunk, pb.UploadRequest(chunk=b"x")))
    with refused("INVALID_ARGUMENT", "HASH_MISMATCH"):
        await ana.stub.Upload(stream(header(space_id, CHUNK, sha256=other), chunk))
    with refused("INVALID_ARGUMENT", "SHA256"):
        await ana.stub.Upload(stream(header(space_id, CHUNK, sha256="no hash"), chunk))
    with refused("INVALID_ARGUMENT", "MEDIA_TYPE"):
        await ana.stub.Upload(stream(header(space_id, CHUNK, media_type="text/x\r\nX-Y: z"), chunk))
    with refused("INVALID_ARGUMENT", "HEADER"):
        await ana.stub.Upload(stream(header(space_id, CHUNK), header(space_id, CHUNK)))
    with refused("INVALID_ARGUMENT", "TARGET"):
        await ana.stub.Upload(stream(header(space_id, CHUNK, node_id="n"), chunk))
    with refused("INVALID_ARGUMENT", "FILE_SIZE"):
        await ana.stub.Upload(stream(header(space_id, b"", size=1 << 60)))
    with refused("INVALID_ARGUMENT"):
        await ana.stub.Upload(stream(chunk))
    with refused("INVALID_ARGUMENT"):
        await ana.stub.Upload(stream())
    assert await ana.names(space_id) == []


async def test_a_repeated_request_has_one_effect(start_service: Any, caller: Any, refused: Any, told: Any):
    ana, new = caller(start_service("document"), "doc-ana"), uuid4().hex
    space = pb.CreateSpaceRequest(request_id=f"space-{new}", name="S")
    space_id = (await ana.stub.CreateSpace(space)).space.space_id
    assert (await ana.stub.CreateSpace(space)).space.space_id == space_id
    folder = pb.CreateFolderRequest(request_id=f"folder-{new}", parent_id=space_id, name="F")
    assert (await ana.stub.CreateFolder(folder)) == (await ana.stub.CreateFolder(folder))
    first = await ana.put(b"content", request_id=f"file-{new}", parent_id=space_id, name="a")
    assert await ana.put(b"content", request_id=f"file-{new}", parent_id=space_id, name="a") == first
    assert await ana.put(b"content", request_id=f"file-{new}", parent_id=space_id, name="a", sha256="") == first
    for sha256 in ("", hashlib.sha256(b"other").hexdigest()):
        with refused("INVALID_ARGUMENT", "REQUEST_ID_REUSED"):
            await ana.put(b"other", request_id=f"file-{new}", parent_id=space_id, name="a", sha256=sha256)
    second = await ana.put(b"more", request_id=f"version-{new}", node_id=first.node_id, etag=first.etag)
    assert await ana.put(b"more", request_id=f"version-{new}", node_id=first.node_id, etag=first.etag) == second
    share = pb.ShareRequest(
        request_id=f"share-{new}",
        node_id=first.node_id,
        grantee=document_pb2.Grantee(person_id="doc-eva"),
        role=document_pb2.ROLE_READER,
    )
    grant = (await ana.stub.Share(share)).grant
    assert (await ana.stub.Share(share)).grant == grant
    unshare = pb.UnshareRequest(request_id=f"unshare-{new}", node_id=first.node_id, grant_id=grant.grant_id)
    trash = pb.TrashRequest(request_id=f"trash-{new}", node_id=first.node_id)
    for call, request in ((ana.stub.Unshare, unshare), (ana.stub.Trash, trash)):
        await call(request)
        await call(request)
    assert await told.names_about(first.node_id, 10) == [
        "FileStored",
        "document.file.store",
        "FileStored",
        "document.file.store",
        "NodeShared",
        "document.node.share",
        "NodeUnshared",
        "document.node.unshare",
        "NodeTrashed",
        "document.node.trash",
    ]


async def test_of_many_who_want_one_name_one_gets_it_and_of_many_versions_none_is_lost(start_service: Any, caller: Any):
    ana = caller(start_service("document"), "doc-ana")
    space_id = await ana.space()
    puts = [ana.put(f"{n}".encode(), parent_id=space_id, name="one") for n in range(8)]
    results = await asyncio.gather(*puts, return_exceptions=True)
    files = [result for result in results if not isinstance(result, BaseException)]
    assert len(files) == 1
    assert {r.code() for r in results if isinstance(r, grpc.aio.AioRpcError)} == {grpc.StatusCode.ALREADY_EXISTS}
    versions = await asyncio.gather(*(ana.put(f"v{n}".encode(), node_id=files[0].node_id) for n in range(5)))
    assert sorted(node.version.number for node in versions) == [2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "point",
    [
        "blobs.put.written",
        "blobs.put.kept",
        "document.upload.content_kept",
        "document.upload.listed",
        "messaging.relay.published",
    ],
)
async def test_an_upload_survives_the_death_of_the_process(
    start_service: Any, caller: Any, told: Any, until_killed: Any, point: str
):
    """Whatever the client was told, the file is whole or not there; the same request then gives one file, told once."""
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space()
    await told.names_about(space_id, 1)
    program.restart(ROSSIO_KILL_AT=point)
    request = {"request_id": uuid4().hex, "parent_id": space_id, "name": "a.bin"}
    content = CHUNK * 8 + b"rest"
    await until_killed(program, caller(program, "doc-ana").put(content, **request))
    program.restart(ROSSIO_KILL_AT="")
    ana = caller(program, "doc-ana")
    if point in {"blobs.put.written", "blobs.put.kept", "document.upload.content_kept"}:
        assert await ana.names(space_id) == []
    file = await ana.put(content, **request)
    assert await ana.names(space_id) == ["a.bin"]
    assert await ana.get(file.node_id) == content
    assert file.version.number == 1
    assert await told.names_about(file.node_id, 2) == ["FileStored", "document.file.store"]


@pytest.mark.parametrize("point", ["document.share.recorded", "messaging.relay.published"])
async def test_a_share_survives_the_death_of_the_process(
    start_service: Any, caller: Any, told: Any, until_killed: Any, point: str
):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space(personal=True)
    file = await ana.put(b"content", parent_id=space_id, name="a")
    await told.names_about(file.node_id, 2)
    program.restart(ROSSIO_KILL_AT=point)
    request = pb.ShareRequest(
        request_id=uuid4().hex,
        node_id=file.node_id,
        grantee=document_pb2.Grantee(person_id="doc-eva"),
        role=document_pb2.ROLE_READER,
    )
    await until_killed(program, caller(program, "doc-ana").stub.Share(request))
    program.restart(ROSSIO_KILL_AT="")
    assert await caller(program, "doc-eva").get(file.node_id) == b"content"
    grant = (await caller(program, "doc-ana").stub.Share(request)).grant
    assert grant.grantee.person_id == "doc-eva"
    expected = ["FileStored", "document.file.store", "NodeShared", "document.node.share"]
    assert await told.names_about(file.node_id, 4) == expected
