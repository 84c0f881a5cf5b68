"""What the process holds in memory while a large file comes and goes."""

import base64
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from devstack.issuer import Issuer
from rossio.document.v1 import service_pb2 as pb

pytestmark = pytest.mark.usefixtures("ministry")
MIB = 1 << 20
SIZE = 1 << 30
ALLOWED = 150
"""MiB, of which the process holds about a hundred before anything comes."""


def pieces() -> Iterator[bytes]:
    """SIZE bytes, no two pieces of them alike."""
    rest = hashlib.shake_256(b"large").digest(MIB // 4 - 8)
    for number in range(SIZE // (MIB // 4)):
        yield number.to_bytes(8, "big") + rest


def peak(program: Any) -> float:
    """The most that the process has held so far, in MiB."""
    lines = Path(f"/proc/{program.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


async def over_grpc(ana: Any, space_id: str) -> str:
    """The id of the file."""

    async def parts() -> AsyncIterator[pb.UploadRequest]:
        header = pb.UploadHeader(request_id=uuid4().hex, parent_id=space_id, name="grpc", size=SIZE)
        yield pb.UploadRequest(header=header)
        for piece in pieces():
            yield pb.UploadRequest(chunk=piece)

    return str((await ana.stub.Upload(parts())).node.node_id)


async def by_tus(session: aiohttp.ClientSession, program: Any, space_id: str) -> str:
    async def body() -> AsyncIterator[bytes]:
        for piece in pieces():
            yield piece

    at = f"http://{program.addresses['HTTP_ADDRESS']}"
    said = {"parent_id": space_id, "filename": "tus"}
    metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items())
    length = {"Upload-Length": str(SIZE), "Upload-Metadata": metadata}
    async with session.post(f"{at}/uploads", headers=length) as answer:
        location = answer.headers["Location"]
    headers = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    async with session.patch(f"{at}{location}", headers=headers, data=body()) as answer:
        assert answer.status == 204, await answer.text()
        return answer.headers["Rossio-Node-Id"]


async def read_in_full(session: aiohttp.ClientSession, program: Any, node_id: str) -> str:
    """The SHA-256 of what comes."""
    digest = hashlib.sha256()
    async with session.get(f"http://{program.addresses['HTTP_ADDRESS']}/files/{node_id}") as answer:
        async for piece in answer.content.iter_any():
            digest.update(piece)
    return digest.hexdigest()


async def test_a_gibibyte_comes_and_goes_in_flat_memory(start_service: Any, caller: Any, issuer: Issuer):
    """Over gRPC, then by tus, where the charts have them: without an index beside."""
    program = start_service("document", ROLES="api")
    ana = caller(program, "doc-ana")
    space_id = await ana.space()
    whole = hashlib.sha256()
    for piece in pieces():
        whole.update(piece)
    token = issuer.token("doc-ana", entity="doc-a")
    headers = {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for upload in (over_grpc(ana, space_id), by_tus(session, program, space_id)):
            assert await read_in_full(session, program, await upload) == whole.hexdigest()
            assert peak(program) < ALLOWED
