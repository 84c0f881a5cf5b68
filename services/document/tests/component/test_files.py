"""What people do with files, as they see it over gRPC."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest
from rossio.document.v1 import document_pb2
from rossio.document.v1 import service_pb2 as pb

pytestmark = pytest.mark.usefixtures("ministry")
TEXT = b"Acta da reuni\xc3\xa3o.\n" * 40_000


@pytest.mark.parametrize("content", ["local", "gridfs"])
async def test_a_file_reads_back_as_it_was_stored(start_service: Any, caller: Any, told: Any, content: str):
    key = base64.b64encode(bytes(32)).decode()
    ana = caller(start_service("document", BLOBS=content, BLOBS_MASTER_KEY=key), "doc-ana")
    space_id = await ana.space()
    folder = await ana.folder(space_id, "2026")
    file = await ana.put(TEXT, parent_id=folder.node_id, name="Acta.txt", media_type="text/plain; charset=utf-8")
    assert (file.space_id, file.parent_id, file.entity_id) == (space_id, folder.node_id, "doc-a")
    assert (file.version.size, file.version.sha256) == (len(TEXT), hashlib.sha256(TEXT).hexdigest())
    assert await ana.get(file.node_id) == TEXT
    assert (await ana.stub.GetNode(pb.GetNodeRequest(node_id=file.node_id))).node == file
    assert await told.names_about(file.node_id, 2) == ["FileStored", "document.file.store"]


@pytest.mark.parametrize("content", [b"", b"x", b"y" * 256 * 1024, b"z" * (256 * 1024 + 1)])
async def test_content_of_every_length_reads_back(start_service: Any, caller: Any, content: bytes):
    ana = caller(start_service("document"), "doc-ana")
    file = await ana.put(content, parent_id=await ana.space(), name="a")
    assert await ana.get(file.node_id) == content


async def test_a_range_is_what_was_asked_for(start_service: Any, caller: Any, refused: Any):
    ana = caller(start_service("document"), "doc-ana")
    file = await ana.put(TEXT, parent_id=await ana.space(), name="a")
    edge = 256 * 1024
    for offset, length in ((0, 1), (5, 10), (edge - 1, 2), (edge, edge), (len(TEXT) - 3, 99), (len(TEXT), 5), (7, 0)):
        expected = TEXT[offset : offset + length] if length else TEXT[offset:]
        assert await ana.get(file.node_id, offset=offset, length=length) == expected, (offset, length)
    with refused("INVALID_ARGUMENT", "RANGE"):
        await ana.get(file.node_id, offset=len(TEXT) + 1)


async def test_versions_are_kept_and_an_old_etag_replaces_nothing(start_service: Any, caller: Any, refused: Any):
    ana = caller(start_service("document"), "doc-ana")
    first = await ana.put(b"one", parent_id=await ana.space(), name="a.txt")
    second = await ana.put(b"two", node_id=first.node_id, etag=first.etag)
    with refused("ABORTED", "STALE_ETAG"):
        await ana.put(b"three", node_id=first.node_id, etag=first.etag)
    third = await ana.put(b"three", node_id=first.node_id)
    assert len({first.etag, second.etag, third.etag}) == 3
    request = pb.ListVersionsRequest(node_id=first.node_id, page_size=2)
    page = await ana.stub.ListVersions(request)
    rest = await ana.stub.ListVersions(
        pb.ListVersionsRequest(node_id=first.node_id, page_size=2, page_token=page.next_page_token)
    )
    assert [version.number for version in (*page.versions, *rest.versions)] == [3, 2, 1]
    assert rest.next_page_token == ""
    assert [await ana.get(first.node_id, version=n) for n in (0, 1, 2, 3)] == [b"three", b"one", b"two", b"three"]
    with refused("NOT_FOUND"):
        await ana.get(first.node_id, version=4)


async def test_a_name_stands_once_in_a_folder_however_it_is_written(start_service: Any, caller: Any, refused: Any):
    ana = caller(start_service("document"), "doc-ana")
    space_id = await ana.space()
    await ana.put(b"one", parent_id=space_id, name="Relat\u00f3rio.pdf")
    for name in ("Relato\u0301rio.pdf", "RELAT\u00d3RIO.PDF"):
        with refused("ALREADY_EXISTS"):
            await ana.put(b"two", parent_id=space_id, name=name)
        with refused("ALREADY_EXISTS"):
            await ana.folder(space_id, name)
    assert (await ana.folder(space_id, "Relato\u0301rios")).name == "Relat\u00f3rios"
    for name in ("..", "a/b", "a\u202eb", "x" * 256):
        with refused("INVALID_ARGUMENT"):
            await ana.folder(space_id, name)


async def test_a_folder_is_listed_by_name_in_pages(start_service: Any, caller: Any, refused: Any):
    ana = caller(start_service("document"), "doc-ana")
    space_id = await ana.space()
    names = ["Água", "beta", "ALFA", "Zeta", "delta", "ómega", "Épsilon"]
    for name in names:
        await ana.folder(space_id, name)
    listed, token = [], ""
    while True:
        page = await ana.stub.ListFolder(pb.ListFolderRequest(node_id=space_id, page_size=3, page_token=token))
        assert len(page.nodes) <= 3
        listed += [node.name for node in page.nodes]
        token = page.next_page_token
        if not token:
            break
    assert listed == sorted(names, key=str.casefold)
    file = await ana.put(b"", parent_id=space_id, name="file")
    with refused("INVALID_ARGUMENT", "NOT_A_FOLDER"):
        await ana.names(file.node_id)
    with refused("INVALID_ARGUMENT", "NOT_A_FOLDER"):
        await ana.put(b"", parent_id=file.node_id, name="below")


async def test_what_is_trashed_is_gone_with_all_below_and_its_name_is_free(
    start_service: Any, caller: Any, refused: Any, told: Any
):
    program = start_service("document")
    ana, rui = caller(program, "doc-ana"), caller(program, "doc-rui")
    space_id = await ana.space()
    folder = await ana.folder(space_id, "velho")
    file = await ana.put(b"content", parent_id=folder.node_id, name="a.txt")
    assert await rui.get(file.node_id) == b"content"
    await ana.trash(folder.node_id)
    assert await ana.names(space_id) == []
    for node_id in (folder.node_id, file.node_id):
        with refused("NOT_FOUND"):
            await rui.stub.GetNode(pb.GetNodeRequest(node_id=node_id))
    with refused("NOT_FOUND"):
        await rui.get(file.node_id)
    seen = await ana.stub.GetNode(pb.GetNodeRequest(node_id=folder.node_id))
    assert (seen.node.trashed, seen.role) == (True, document_pb2.ROLE_READER)
    with refused("PERMISSION_DENIED"):
        await ana.put(b"more", parent_id=folder.node_id, name="b.txt")
    assert (await ana.folder(space_id, "VELHO")).node_id != folder.node_id
    assert (await told.names_about(folder.node_id, 3))[1:] == ["NodeTrashed", "document.node.trash"]


async def test_64_mib_of_real_content_in_flat_memory(start_service: Any, caller: Any, real_file: Path):
    """The peak of the process grows by less than half the file, both ways, and the hash that comes back is the same.

    As in the charts, who looks into files for their words is another process.
    """
    program = start_service("document", ROLES="api")
    ana = caller(program, "doc-ana")
    space_id = await ana.space()
    await ana.get((await ana.put(TEXT, parent_id=space_id, name="warm-up")).node_id)
    before = peak_memory(program.pid)
    content = real_file.read_bytes()
    file = await ana.put(content, parent_id=space_id, name="python.txt")
    digest = hashlib.sha256()
    async for part in ana.stub.Download(pb.DownloadRequest(node_id=file.node_id)):
        assert len(part.chunk) <= 256 * 1024
        digest.update(part.chunk)
    assert digest.hexdigest() == hashlib.sha256(content).hexdigest() == file.version.sha256
    assert peak_memory(program.pid) - before < 32 << 20


def peak_memory(pid: int) -> int:
    """The most that a process ever held, in bytes."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024
