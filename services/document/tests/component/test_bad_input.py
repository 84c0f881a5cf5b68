"""What people and programs send that is wrong, at the doors where it comes in: each is a typed error and has no effect.

Elsewhere: wrong hashes and sizes in test_uploads.py and test_transfer.py, stale etags in test_rights.py, ids of others
in tests/e2e/test_foreign.py, files that mean harm in test_indexing.py, names in unit/test_names.py.
"""

import asyncio
import base64
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
import rpc
from devstack.issuer import Issuer
from rossio.document.v1 import service_pb2 as pb
from rossio.document.v1.service_pb2_grpc import DocumentServiceStub, TransferServiceStub

pytestmark = pytest.mark.usefixtures("ministry")
TUS = {"Tus-Resumable": "1.0.0"}
PATCH = {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
TRICKS = ("..", ".", "../../etc/passwd", "a/b", "/etc/passwd", "a\0b", "..\u2215x\u202e", "\ud7ff\x7f", " ", "")


def url(program: Any, path: str) -> str:
    return f"http://{program.addresses['HTTP_ADDRESS']}{path}"


def creation(size: int, **said: str) -> dict[str, str]:
    metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items())
    return {**TUS, "Upload-Length": str(size), "Upload-Metadata": metadata}


async def status_of(call: Any) -> int:
    async with call as answer:
        return int(answer.status)


@pytest.mark.parametrize("which", ["expired", "of another issuer", "for another suite", "changed", "unsigned"])
async def test_a_token_that_does_not_hold_opens_no_door(
    start_service: Any, caller: Any, issuer: Issuer, refused: Any, tmp_path: Path, which: str
):
    """Over gRPC and HTTP: spaces, files, a new upload, and one that was begun while the token held."""
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space()
    file = await ana.put(b"x", parent_id=space_id, name="a")
    good = issuer.token("doc-ana", entity="doc-a")
    head, claims, signature = good.split(".")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    bad = {
        "expired": issuer.token("doc-ana", entity="doc-a", ttl=timedelta(minutes=-10)),
        "of another issuer": Issuer(tmp_path / "another").token("doc-ana", entity="doc-a"),
        "for another suite": issuer.token("doc-ana", entity="doc-a", audience="another"),
        "changed": f"{head}.{claims}.{signature[::-1]}",
        "unsigned": f"{none}.{claims}.",
    }[which]
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {good}"}) as web:
        headers = creation(1, parent_id=space_id, filename="b")
        async with web.post(url(program, "/uploads"), headers=headers) as answer:
            upload = url(program, answer.headers["Location"])
    async with rpc.channel(program.grpc, token=lambda: bad) as channel:
        with refused("UNAUTHENTICATED"):
            await DocumentServiceStub(channel).ListSpaces(pb.ListSpacesRequest())
        with refused("UNAUTHENTICATED"):
            await TransferServiceStub(channel).GetUpload(pb.GetUploadRequest(upload_id=upload.rpartition("/")[2]))
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {bad}"}) as web:
        for call in (
            web.get(url(program, f"/files/{file.node_id}")),
            web.post(url(program, "/uploads"), headers=headers),
            web.head(upload, headers=TUS),
            web.patch(upload, headers=PATCH, data=b"x"),
            web.delete(upload, headers=TUS),
        ):
            assert await status_of(call) == 401
    assert await ana.names(space_id) == ["a"]


async def test_a_token_of_one_list_is_worth_nothing_in_another(start_service: Any, caller: Any, refused: Any):
    """Page tokens are bound to what is listed, and say no more than where; those of others show what one may see."""
    program = start_service("document")
    ana, eva = caller(program, "doc-ana"), caller(program, "doc-eva")
    space_id = await ana.space()
    folder = await ana.folder(space_id, "f")
    for name in ("a", "b", "c"):
        await ana.folder(folder.node_id, name)
    page = await ana.do("ListFolder", node_id=folder.node_id, page_size=1)
    for method, fields in (
        ("ListFolder", {"node_id": space_id}),
        ("ListTrash", {"space_id": space_id}),
        ("ListFolder", {"node_id": folder.node_id, "page_token": page.next_page_token[:-2]}),
    ):
        with refused("INVALID_ARGUMENT", "PAGE_TOKEN"):
            await ana.do(method, **{"page_token": page.next_page_token, **fields})
    with refused("NOT_FOUND"):
        await eva.do("ListFolder", node_id=folder.node_id, page_token=page.next_page_token)
    again = await ana.do("ListFolder", node_id=folder.node_id, page_token=page.next_page_token)
    assert [node.name for node in again.nodes] == ["b", "c"]


async def test_no_name_and_no_path_leads_out_of_a_space(start_service: Any, caller: Any, refused: Any, issuer: Issuer):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space()
    headers = {"Authorization": f"Bearer {issuer.token('doc-ana', entity='doc-a')}"}
    async with aiohttp.ClientSession(headers=headers) as web:
        for name in TRICKS:
            call = web.post(url(program, "/uploads"), headers=creation(1, parent_id=space_id, filename=name))
            assert await status_of(call) == 400, name
            with refused("INVALID_ARGUMENT"):
                await ana.put(b"x", parent_id=space_id, name=name)
    host, _, port = program.addresses["HTTP_ADDRESS"].rpartition(":")
    for path in ("/files/../../etc/passwd", "/files/%2e%2e%2fblobs%2fmaster.key", "/uploads/..%2f..%2fx", "/links/%00"):
        assert await _raw(host, int(port), path, headers) in {400, 404, 405}, path
    assert await ana.names(space_id) == []


async def test_an_upload_that_was_finished_takes_nothing_again(
    start_service: Any, caller: Any, issuer: Issuer, refused: Any
):
    """A replayed PATCH meets the end, and a replayed request_id with other content is refused."""
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space()
    headers = {"Authorization": f"Bearer {issuer.token('doc-ana', entity='doc-a')}"}
    async with aiohttp.ClientSession(headers=headers) as web:
        async with web.post(url(program, "/uploads"), headers=creation(2, parent_id=space_id, filename="a")) as answer:
            upload = url(program, answer.headers["Location"])
        assert await status_of(web.patch(upload, headers=PATCH, data=b"ab")) == 204
        assert await status_of(web.patch(upload, headers=PATCH, data=b"xy")) == 409
    request_id = uuid4().hex
    node = await ana.put(b"one", parent_id=space_id, name="b", request_id=request_id)
    with refused("INVALID_ARGUMENT", "REQUEST_ID_REUSED"):
        await ana.put(b"two", parent_id=space_id, name="b", request_id=request_id)
    assert await ana.get(node.node_id) == b"one"
    assert await ana.names(space_id) == ["a", "b"]


async def _raw(host: str, port: int, path: str, headers: dict[str, str]) -> int:
    """The status of a GET of exactly this path: a client of a library would tidy it up."""
    reader, writer = await asyncio.open_connection(host, port)
    said = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{said}\r\n".encode())
    answer = await reader.read()
    writer.close()
    return int(answer.split()[1])
