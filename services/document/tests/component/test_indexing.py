"""How the index comes to be, and how it goes: whatever dies, all is found; what is shredded, nowhere."""

import asyncio
import base64
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import rpc
from devstack.issuer import Issuer
from devstack.program import Failed
from rossio.document.v1 import document_pb2
from rossio.document.v1 import service_pb2 as pb
from rossio.document.v1.service_pb2_grpc import KeyServiceStub

pytestmark = pytest.mark.usefixtures("ministry")

_PAGE = (
    "<html><head><title>Plano</title></head><body><h1>Plano de saúde</h1><p>As receitas médicas dos hospitais.</p>"
    "<table><tr><td>vacinação</td><td>42</td></tr></table></body></html>"
)
_SLIDES = """<?xml version="1.0"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
  xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"
  xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0"
  xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
  office:mimetype="application/vnd.oasis.opendocument.presentation" office:version="1.2">
  <office:body><office:presentation><draw:page draw:name="p1">
    <draw:frame svg:x="1cm" svg:y="1cm" svg:width="9cm" svg:height="5cm"><draw:text-box>
      <text:p>As receitas médicas dos hospitais, em diapositivos.</text:p>
    </draw:text-box></draw:frame></draw:page></office:presentation></office:body>
</office:document>"""
_PASSWORD = (
    'pdf:writer_pdf_Export:{"EncryptFile":{"type":"boolean","value":"true"},'
    '"DocumentOpenPassword":{"type":"string","value":"segredo"}}'
)


def make_office_files(folder: Path) -> Mapping[str, bytes]:
    """Real files by LibreOffice, by ending; `locked.pdf` asks for a password."""
    (folder / "page.html").write_text(_PAGE)
    (folder / "slides.fodp").write_text(_SLIDES)
    (folder / "cells.csv").write_text("nome;valor\nreceitas médicas dos hospitais;42\n")

    def convert(source: str, to: str, *options: str) -> bytes:
        home = f"-env:UserInstallation=file://{folder}/home"
        command = ["soffice", "--headless", home, *options, "--convert-to", to, "--outdir", str(folder / "made")]
        subprocess.run([*command, str(folder / source)], check=True, capture_output=True, timeout=180)
        return (folder / "made" / source).with_suffix(f".{to.partition(':')[0]}").read_bytes()

    made = {ending: convert("page.html", ending, "--infilter=HTML (StarWriter)") for ending in ("docx", "odt", "pdf")}
    made["locked.pdf"] = convert("page.html", _PASSWORD, "--infilter=HTML (StarWriter)")
    made |= {ending: convert("cells.csv", ending, "--infilter=CSV:59,34,76") for ending in ("xlsx", "ods")}
    return made | {ending: convert("slides.fodp", ending) for ending in ("pptx", "odp")}


@pytest.fixture(scope="module")
def office_files(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    if shutil.which("soffice") is None:
        lack = "LibreOffice is missing: apt-get install libreoffice-{writer,calc,impress}-nogui"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(lack)
    return make_office_files(tmp_path_factory.mktemp("office"))


def index_folders(program: Any) -> list[str]:
    return sorted(path.name for path in (program.folder / "data" / "index").glob("*/*"))


async def extraction(person: Any, node_id: str) -> str:
    """What became of taking the text out, once that is known."""
    async with asyncio.timeout(120):
        while True:
            answer = await person.searching.GetExtraction(pb.GetExtractionRequest(node_id=node_id))
            if answer.extraction:
                return document_pb2.Extraction.Name(answer.extraction).removeprefix("EXTRACTION_")
            await asyncio.sleep(0.1)


async def test_what_libreoffice_writes_is_found_by_its_text(
    start_service: Any, caller: Any, office_files: Mapping[str, bytes]
):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space("Casa")
    outcomes = {}
    for ending, content in office_files.items():
        file = await ana.put(content, parent_id=space_id, name=f"ficheiro.{ending}")
        outcomes[ending] = await extraction(ana, file.node_id)
    assert outcomes.pop("locked.pdf") == "ENCRYPTED"
    assert set(outcomes.values()) == {"TEXT"}
    readable = [f"ficheiro.{ending}" for ending in reversed(outcomes)]
    await ana.finds(readable, "receita medica hospital")
    assert await ana.found('"receitas médicas dos hospitais"') == readable
    assert await ana.found("42 vacinacoes") == ["ficheiro.pdf", "ficheiro.odt", "ficheiro.docx"]
    assert "ficheiro.xlsx" in await ana.found("42")
    for result in (await ana.page("receita")).results:
        assert "receitas" in [part.text for part in result.snippet if part.match], result.node.name


async def test_a_file_that_means_harm_stops_nothing_and_its_outcome_is_kept(start_service: Any, caller: Any):
    program = start_service("document", EXTRACT_MAX_BYTES=str(4 << 20))
    ana = caller(program, "doc-ana")
    space_id = await ana.space("Casa")
    bad = {
        "BROKEN": b"%PDF-1.7 torn off",
        "NO_TEXT": b"\0" * 100,
        "TOO_LARGE": b"x " * (3 << 20),
        "TRUNCATED": b"x " * (1 << 20),
    }
    for outcome, content in bad.items():
        file = await ana.put(content, parent_id=space_id, name=f"{outcome}.bin")
        assert await extraction(ana, file.node_id) == outcome
    await ana.put(b"sereno", parent_id=space_id, name="bom.txt")
    await ana.finds(["bom.txt"], "sereno")
    assert await ana.found("broken") == ["BROKEN.bin"]


POINTS = [
    "document.extract.taken",
    "document.extract.text_kept",
    "document.extract.kept",
    "document.index.read:2",
    "document.index.put",
    "document.index.page",
    "document.index.followed",
]


@pytest.mark.parametrize("point", POINTS)
async def test_all_is_found_whenever_the_process_dies(start_service: Any, caller: Any, point: str):
    program = start_service("document", ROLES="api", EXTRACT_SECONDS="10")
    ana = caller(program, "doc-ana")
    space_id = await ana.space("Casa")
    folder = await ana.folder(space_id, "pasta")
    names = [f"{number}.txt" for number in range(5)]
    for name in names:
        await ana.put(f"girassol {name}".encode(), parent_id=folder.node_id, name=name)
    program.kill()
    program.settings |= {"ROSSIO_KILL_AT": point, "ROLES": ""}
    with suppress(Failed):
        program.start()
    await program.killed()
    program.restart(ROSSIO_KILL_AT="")
    ana = caller(program, "doc-ana")
    await ana.finds(names[::-1], "girassois")
    assert await ana.found("pasta") == ["pasta"]


async def test_an_index_made_from_the_store_finds_what_the_one_that_followed_finds(
    start_service: Any, caller: Any, refused: Any
):
    """Two processes, each with its index: one saw every change, the other was there afterwards; then by command."""
    shared = {"BLOBS": "gridfs", "BLOBS_MASTER_KEY": base64.b64encode(b"k" * 32).decode()}
    program = start_service("document", **shared)
    ana = caller(program, "doc-ana")
    space_id = await ana.space("Casa")
    folders = [await ana.folder(space_id, f"pasta {number}") for number in range(3)]
    for number in range(12):
        file = await ana.put(
            f"girassol número {number}".encode(), parent_id=folders[number % 3].node_id, name=f"{number}"
        )
        if number % 4 == 0:
            await ana.put(f"tulipa {number}".encode(), node_id=file.node_id)
    await ana.do("Move", node_id=folders[0].node_id, parent_id=folders[1].node_id)
    await ana.trash(folders[2].node_id)
    questions = ["girassol", "tulipa", "pasta", "numero 3", '"girassol número"', ""]

    async def answers(person: Any) -> list[list[tuple[str, str]]]:
        pages = [await person.page(question, page_size=100) for question in questions]
        return [[(r.node.node_id, str(r.snippet)) for r in page.results] for page in pages]

    await ana.finds(["10", "9", "7", "6", "3", "1"], "girassol", page_size=100)
    await ana.finds(["4", "0"], "tulipa")
    lived = await answers(ana)
    assert [len(answer) for answer in lived] == [6, 2, 2, 1, 6, 11]
    other = start_service("document", ROLES="search", **shared)
    assert await answers(caller(other, "doc-ana")) == lived
    admin = caller(program, "doc-ana", roles=["document.admin"])
    with refused("PERMISSION_DENIED"):
        await ana.searching.Reindex(pb.ReindexRequest(request_id=uuid4().hex, entity_id="doc-a"))
    with refused("NOT_FOUND"):
        await admin.searching.Reindex(pb.ReindexRequest(request_id=uuid4().hex, entity_id="doc-b"))
    await admin.searching.Reindex(pb.ReindexRequest(request_id=uuid4().hex, entity_id="doc-a", extract=True))
    async with asyncio.timeout(60):
        while not index_folders(program) == index_folders(other) == ["doc-a.1"]:
            await asyncio.sleep(0.1)
    for person in (ana, caller(other, "doc-ana")):
        await person.finds(["4", "0"], "tulipa")
        async with asyncio.timeout(60):
            while await answers(person) != lived:
                await asyncio.sleep(0.1)
    shutil.rmtree(other.folder / "data" / "index")
    other.kill()
    other.start()
    assert await answers(caller(other, "doc-ana")) == lived


async def test_a_rebuild_that_dies_leaves_the_old_index_and_is_made_again(start_service: Any, caller: Any):
    program = start_service("document")
    admin = caller(program, "doc-ana", roles=["document.admin"])
    space_id = await admin.space("Casa")
    await admin.put(b"girassol", parent_id=space_id, name="flor.txt")
    await admin.finds(["flor.txt"], "girassol")
    program.restart(ROSSIO_KILL_AT="document.index.rebuilt")
    admin = caller(program, "doc-ana", roles=["document.admin"])
    await admin.searching.Reindex(pb.ReindexRequest(request_id=uuid4().hex, entity_id="doc-a"))
    await program.killed()
    assert index_folders(program) == ["doc-a.0", "doc-a.1.making"]
    program.restart(ROSSIO_KILL_AT="")
    await caller(program, "doc-ana").finds(["flor.txt"], "girassol")
    async with asyncio.timeout(60):
        while index_folders(program) != ["doc-a.1"]:
            await asyncio.sleep(0.1)
    assert await caller(program, "doc-ana").found("girassol") == ["flor.txt"]


async def test_after_shredding_nothing_of_the_entity_is_found_nor_on_the_disk(
    start_service: Any, caller: Any, issuer: Issuer
):
    program = start_service("document")
    ana, eva = caller(program, "doc-ana"), caller(program, "doc-eva")
    file = await ana.put(b"hipopotamo", parent_id=await ana.space("Casa"), name="rinoceronte.txt")
    await ana.share(file.node_id, person_id="doc-eva")
    await eva.put(b"hipopotamo", parent_id=await eva.space("Outra"), name="meu.txt")
    await eva.finds(["meu.txt", "rinoceronte.txt"], "hipopotamo")
    assert index_folders(program) == ["doc-a.0", "doc-b.0"]
    token = issuer.token("doc-guard", entity="doc-a", roles=["document.keys"])
    channel = rpc.channel(program.grpc, token=lambda: token)
    await KeyServiceStub(channel).ShredEntity(
        pb.ShredEntityRequest(request_id=uuid4().hex, entity_id="doc-a", reason="Despacho 7/2026")
    )
    await channel.close()
    assert await eva.found("hipopotamo") == ["meu.txt"]
    assert await ana.found() == []
    deadline = time.monotonic() + 60
    while index_folders(program) != ["doc-b.0"]:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    disk = b"".join(path.read_bytes() for path in (program.folder / "data").rglob("*") if path.is_file()).lower()
    assert b"hipopotam" not in disk
    assert b"rinoceront" not in disk
    program.kill()
    program.start()
    assert await caller(program, "doc-eva").found("hipopotamo") == ["meu.txt"]
    assert index_folders(program) == ["doc-b.0"]
