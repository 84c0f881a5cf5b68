"""Uploads in several goes, over gRPC: broken connections, killed processes, full disks."""

import asyncio
import hashlib
import os
import resource
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import rpc
from devstack.issuer import Issuer
from rossio.document.v1 import document_pb2
from rossio.document.v1 import service_pb2 as pb
from rossio.document.v1.service_pb2_grpc import TransferServiceStub
from testkit.s3 import ACCESS_KEY, REGION, S3, SECRET_KEY

pytestmark = pytest.mark.usefixtures("ministry")
CHUNK = 256 * 1024
WHOLE = hashlib.shake_256(b"transfer").digest(5 * CHUNK + 1000)
SHA256 = hashlib.sha256(WHOLE).hexdigest()


class Transfer:
    """Somebody's uploads, in short."""

    def __init__(self, stub: TransferServiceStub) -> None:
        self.stub = stub

    async def begin(self, parent_id: str, **said: Any) -> document_pb2.Upload:
        header = {"parent_id": parent_id, "name": "a.bin", "size": len(WHOLE), "sha256": SHA256, **said}
        request_id = header.pop("request_id", uuid4().hex)
        request = pb.CreateUploadRequest(request_id=request_id, header=pb.UploadHeader(**header))
        return (await self.stub.CreateUpload(request)).upload

    async def append(
        self, upload_id: str, offset: int, content: bytes, hold: asyncio.Event | None = None
    ) -> document_pb2.Upload:
        """Sends the content; with `hold`, sets it when all is sent and stays until it is cancelled."""

        async def parts() -> AsyncIterator[pb.AppendUploadRequest]:
            header = pb.AppendHeader(request_id=uuid4().hex, upload_id=upload_id, offset=offset)
            yield pb.AppendUploadRequest(header=header)
            for at in range(0, len(content), CHUNK):
                yield pb.AppendUploadRequest(chunk=content[at : at + CHUNK])
            if hold is not None:
                hold.set()
                await asyncio.Event().wait()

        answer: pb.AppendUploadResponse = await self.stub.AppendUpload(parts())
        return answer.upload

    async def look(self, upload_id: str) -> document_pb2.Upload:
        return (await self.stub.GetUpload(pb.GetUploadRequest(upload_id=upload_id))).upload

    async def give_up(self, upload_id: str) -> None:
        await self.stub.DeleteUpload(pb.DeleteUploadRequest(request_id=uuid4().hex, upload_id=upload_id))


@pytest.fixture
async def transfers(issuer: Issuer) -> AsyncIterator[Callable[..., Transfer]]:
    async with AsyncExitStack() as channels:

        def speak(program: Any, person_id: str = "doc-ana", entity: str = "doc-a") -> Transfer:
            token = issuer.token(person_id, entity=entity)
            channel = rpc.channel(program.grpc, token=lambda: token)
            channels.push_async_callback(channel.close)
            return Transfer(TransferServiceStub(channel))

        yield speak


async def test_an_upload_goes_on_after_a_break_where_it_stands(start_service: Any, caller: Any, transfers: Any):
    program = start_service("document")
    ana, transfer = caller(program, "doc-ana"), transfers(program)
    space_id = await ana.space()
    upload = await transfer.begin(space_id)
    assert (upload.offset, upload.size) == (0, len(WHOLE))
    sent = asyncio.Event()
    broken = asyncio.create_task(transfer.append(upload.upload_id, 0, WHOLE[: 2 * CHUNK + 7], sent))
    await sent.wait()
    async with asyncio.timeout(60):
        while (await ana.names(space_id)) or not broken.cancel():
            await asyncio.sleep(0.05)
    await asyncio.gather(broken, return_exceptions=True)
    stands = (await transfer.look(upload.upload_id)).offset
    assert 0 <= stands <= 2 * CHUNK + 7
    part = await transfer.append(upload.upload_id, stands, WHOLE[stands : 3 * CHUNK + 1])
    assert part.offset == 3 * CHUNK + 1
    assert not part.HasField("node")
    assert await ana.names(space_id) == []
    whole = await transfer.append(upload.upload_id, part.offset, WHOLE[part.offset :])
    assert (whole.offset, whole.node.version.sha256) == (len(WHOLE), SHA256)
    assert await ana.get(whole.node.node_id) == WHOLE
    assert await transfer.look(upload.upload_id) == whole
    assert await transfer.append(upload.upload_id, len(WHOLE), b"") == whole


async def test_a_new_version_and_an_empty_file_come_this_way_too(start_service: Any, caller: Any, transfers: Any):
    program = start_service("document")
    ana, transfer = caller(program, "doc-ana"), transfers(program)
    empty = await transfer.begin(await ana.space(), size=0, sha256="")
    assert (empty.node.name, empty.node.version.size) == ("a.bin", 0)
    again = await transfer.begin("", name="", node_id=empty.node.node_id, etag=empty.node.etag)
    done = await transfer.append(again.upload_id, 0, WHOLE)
    assert (done.node.node_id, done.node.version.number) == (empty.node.node_id, 2)


async def test_what_is_wrong_with_an_upload_is_said(start_service: Any, caller: Any, transfers: Any, refused: Any):
    program = start_service("document", MAX_FILE_BYTES=str(len(WHOLE)))
    ana, transfer, rui = caller(program, "doc-ana"), transfers(program), transfers(program, "doc-rui")
    space_id = await ana.space()
    with refused("INVALID_ARGUMENT", "FILE_SIZE"):
        await transfer.begin(space_id, size=len(WHOLE) + 1)
    with refused("INVALID_ARGUMENT", "TARGET"):
        await transfer.begin(space_id, node_id="x")
    with refused("NOT_FOUND"):
        await transfers(program, "doc-eva", "doc-b").begin(space_id)
    request_id = uuid4().hex
    upload = await transfer.begin(space_id, request_id=request_id)
    assert await transfer.begin(space_id, request_id=request_id) == upload
    with refused("ABORTED", "OFFSET"):
        await transfer.append(upload.upload_id, 5, b"x")
    with refused("INVALID_ARGUMENT", "SIZE_MISMATCH"):
        await transfer.append(upload.upload_id, 0, WHOLE + b"x")
    for act in (rui.look(upload.upload_id), rui.append(upload.upload_id, 0, b"x"), rui.give_up(upload.upload_id)):
        with refused("NOT_FOUND", "NO_SUCH_UPLOAD"):
            await act
    stands = (await transfer.look(upload.upload_id)).offset
    with refused("INVALID_ARGUMENT", "HASH_MISMATCH"):
        await transfer.append(upload.upload_id, stands, bytes(len(WHOLE) - stands))
    with refused("NOT_FOUND", "UPLOAD_EXPIRED"):
        await transfer.look(upload.upload_id)
    other = await transfer.begin(space_id)
    await transfer.give_up(other.upload_id)
    with refused("NOT_FOUND", "NO_SUCH_UPLOAD"):
        await transfer.look(other.upload_id)
    assert await ana.names(space_id) == []


async def test_an_upload_that_is_not_ended_in_time_is_given_up(
    start_service: Any, caller: Any, transfers: Any, refused: Any
):
    program = start_service("document", UPLOAD_HOURS=str(1 / 3600))
    ana, transfer = caller(program, "doc-ana"), transfers(program)
    upload = await transfer.begin(await ana.space())
    async with asyncio.timeout(60):
        while datetime.now(UTC) <= upload.expires_at.ToDatetime(UTC):
            await asyncio.sleep(0.1)
    with refused("NOT_FOUND", "UPLOAD_EXPIRED"):
        await transfer.append(upload.upload_id, 0, WHOLE[:1])  # gRPC may lose the answer to who is still sending


@pytest.mark.parametrize(
    ("content", "point"),
    [
        ("local", "document.upload.begun"),
        ("gridfs", "document.upload.begun"),
        ("local", "document.upload.noted"),
        ("local", "document.upload.taken"),
        ("gridfs", "document.upload.known"),
        ("local", "blobs.put.written"),
        ("local", "blobs.put.kept"),
        ("gridfs", "document.upload.content_kept"),
        ("local", "document.upload.listed"),
        ("s3", "document.upload.taken"),
        ("s3", "document.upload.known"),
        ("s3", "blobs.put.written"),
        ("s3", "document.upload.content_kept"),
    ],
)
async def test_an_upload_in_several_goes_survives_the_death_of_the_process(
    start_service: Any, caller: Any, transfers: Any, s3: S3, bucket: str, point: str, content: str
):
    """The client goes on where the upload stands, whatever it was told; one file comes of it, listed once."""
    program = start_service(
        "document",
        BLOBS=content,
        BLOBS_MASTER_KEY="A" * 43 + "=",
        BLOBS_S3_ENDPOINT=s3.endpoint,
        BLOBS_S3_BUCKET=bucket,
        BLOBS_S3_REGION=REGION,
        BLOBS_S3_ACCESS_KEY=ACCESS_KEY,
        BLOBS_S3_SECRET_KEY=SECRET_KEY,
    )
    ana = caller(program, "doc-ana")
    space_id = await ana.space()
    program.restart(ROSSIO_KILL_AT=point)
    request_id = uuid4().hex

    async def whole_upload() -> document_pb2.Upload:
        transfer: Transfer = transfers(program)
        upload = await transfer.begin(space_id, request_id=request_id)
        while not upload.HasField("node"):
            end = min(upload.offset + 3 * CHUNK, len(WHOLE))
            upload = await transfer.append(upload.upload_id, upload.offset, WHOLE[upload.offset : end])
        return upload

    await asyncio.gather(whole_upload(), return_exceptions=True)
    await program.killed()
    program.restart(ROSSIO_KILL_AT="")
    done = await whole_upload()
    ana = caller(program, "doc-ana")
    assert await ana.names(space_id) == ["a.bin"]
    assert await ana.get(done.node.node_id) == WHOLE
    assert done.node.version.number == 1


async def test_the_draft_of_an_upload_that_was_never_noted_is_swept(start_service: Any, caller: Any, transfers: Any):
    """The process dies between making the draft and writing the upload down: nobody can ever go on with it."""
    program = start_service("document")
    space_id = await caller(program, "doc-ana").space()
    program.restart(ROSSIO_KILL_AT="document.upload.begun")
    await asyncio.gather(transfers(program).begin(space_id), return_exceptions=True)
    await program.killed()
    incoming = program.folder / "data" / "blobs" / "incoming"
    (draft,) = incoming.iterdir()
    long_ago = (datetime.now(UTC) - timedelta(days=3)).timestamp()
    os.utime(draft, (long_ago, long_ago))
    program.restart(ROSSIO_KILL_AT="")
    async with asyncio.timeout(60):
        while list(incoming.iterdir()):
            await asyncio.sleep(0.05)
    upload = await transfers(program).begin(space_id)
    assert (await transfers(program).append(upload.upload_id, 0, WHOLE)).node.version.sha256 == SHA256


async def test_a_full_disk_breaks_an_upload_off_and_not_its_file(
    start_service: Any, caller: Any, transfers: Any, refused: Any
):
    """The process may write no file larger than 1.2 MB for a while, as on a disk that is full."""
    program = start_service("document")
    ana, transfer = caller(program, "doc-ana"), transfers(program)
    space_id = await ana.space()
    upload = await transfer.begin(space_id)
    before = resource.prlimit(program.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (1_200_000, before[1]))
    with refused("UNAVAILABLE", "CONTENT_DISK"):
        await transfer.append(upload.upload_id, 0, WHOLE)
    with refused("UNAVAILABLE", "CONTENT_DISK"):
        await ana.put(WHOLE, parent_id=space_id, name="b.bin")
    assert await ana.names(space_id) == []
    resource.prlimit(program.pid, resource.RLIMIT_FSIZE, before)
    stands = (await transfer.look(upload.upload_id)).offset
    done = await transfer.append(upload.upload_id, stands, WHOLE[stands:])
    assert await ana.get(done.node.node_id) == WHOLE
