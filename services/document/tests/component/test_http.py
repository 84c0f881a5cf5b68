"""Files over HTTP, with clients that others wrote: tuspy, and curl with ranges."""

import asyncio
import base64
import hashlib
import os
import subprocess
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from devstack.issuer import Issuer
from tusclient.client import TusClient

pytestmark = pytest.mark.usefixtures("ministry")
WHOLE = hashlib.shake_256(b"http").digest(3_000_017)
EXAMPLE = Path(__file__).parents[4] / "docs" / "examples" / "curl" / "files.sh"
TUS = {"Tus-Resumable": "1.0.0"}
PATCH = {**TUS, "Content-Type": "application/offset+octet-stream"}


@pytest.fixture
def token(issuer: Issuer) -> str:
    return issuer.token("doc-ana", entity="doc-a")


@pytest.fixture
async def web(token: str) -> Any:
    """A session that carries the token, whatever the address."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        yield session


def url(program: Any, path: str) -> str:
    return f"http://{program.addresses['HTTP_ADDRESS']}{path}"


def metadata(**said: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items())


async def begun(web: Any, program: Any, space_id: str, size: int = len(WHOLE), **said: str) -> str:
    headers = {
        **TUS,
        "Upload-Length": str(size),
        "Upload-Metadata": metadata(parent_id=space_id, filename="a.bin", **said),
    }
    async with web.post(url(program, "/uploads"), headers=headers) as answer:
        assert answer.status == 201, await answer.text()
        assert answer.headers["Upload-Expires"].endswith("GMT")
        return url(program, answer.headers["Location"])


async def status_of(call: Any) -> int:
    async with call as answer:
        return int(answer.status)


@pytest.mark.parametrize("checksum", [False, True])
async def test_tuspy_uploads_in_parts_and_goes_on_where_it_ended(
    start_service: Any, caller: Any, token: str, tmp_path: Path, checksum: bool
):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space()
    path = tmp_path / "Relatório.bin"
    path.write_bytes(WHOLE)
    client = TusClient(url(program, "/uploads"), headers={"Authorization": f"Bearer {token}"})
    said = {"parent_id": space_id, "filename": path.name, "filetype": "application/pdf"}

    def uploader(content: Any, **more: Any) -> Any:
        return client.uploader(file_stream=content, chunk_size=700_001, upload_checksum=checksum, **more)

    def first_half() -> str:
        with path.open("rb") as content:
            half = uploader(content, metadata=said)
            half.upload_chunk()
            half.upload_chunk()
            return str(half.url)

    def rest(at: str) -> None:
        with path.open("rb") as content:
            half = uploader(content, url=at)
            assert half.offset == 1_400_002
            half.upload()

    at = await asyncio.to_thread(first_half)
    assert await ana.names(space_id) == []
    program.kill()
    program.start()
    await asyncio.to_thread(rest, at)
    ana = caller(program, "doc-ana")
    assert await ana.names(space_id) == [path.name]
    headers = {"Authorization": f"Bearer {token}", **TUS}
    async with aiohttp.ClientSession(headers=headers) as session, session.head(at) as answer:
        assert answer.headers["Upload-Offset"] == str(len(WHOLE))
    assert await ana.get(answer.headers["Rossio-Node-Id"]) == WHOLE


async def test_curl_gets_ranges_goes_on_and_asks_whether_it_changed(
    start_service: Any, caller: Any, token: str, tmp_path: Path
):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    node = await ana.put(WHOLE, parent_id=await ana.space(), name="Acta nº 1.bin", media_type="application/pdf")
    address = url(program, f"/files/{node.node_id}")

    def curl(*options: str) -> tuple[bytes, dict[str, str], int]:
        out = subprocess.run(
            ["curl", "-s", "-i", "-H", f"Authorization: Bearer {token}", *options, address],
            capture_output=True,
            check=True,
        ).stdout
        head, _, body = out.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        return body, dict(line.lower().split(": ", 1) for line in lines), int(first.split()[1])

    body, headers, status = await asyncio.to_thread(curl)
    assert (status, body) == (200, WHOLE)
    assert headers["etag"] == f'"{hashlib.sha256(WHOLE).hexdigest()}"'
    assert headers["content-type"] == "application/pdf"
    at = parsedate_to_datetime(headers["last-modified"])
    assert timedelta() <= datetime.now(UTC) - at < timedelta(hours=1)
    assert headers["content-disposition"] == "attachment; filename*=utf-8''acta%20n%c2%ba%201%2ebin"
    edge = 256 * 1024
    for asked, expected in (("0-0", WHOLE[:1]), (f"{edge - 1}-{edge}", WHOLE[edge - 1 : edge + 1])):
        body, headers, status = await asyncio.to_thread(curl, "-r", asked)
        assert (status, body) == (206, expected)
        assert headers["content-range"] == f"bytes {asked}/{len(WHOLE)}"
    end = WHOLE[2_999_990:]
    for asked, expected in (("-5", WHOLE[-5:]), ("2999990-", end), ("2999990-9999999", end)):
        assert (await asyncio.to_thread(curl, "-r", asked))[::2] == (expected, 206)
    body, headers, status = await asyncio.to_thread(curl, "-r", "3000017-")
    assert (status, headers["content-range"]) == (416, f"bytes */{len(WHOLE)}")
    assert (await asyncio.to_thread(curl, "-r", "0-1,5-6"))[::2] == (WHOLE, 200)
    etag = f'"{node.version.sha256}"'
    assert (await asyncio.to_thread(curl, "-H", f"If-None-Match: {etag}"))[2] == 304
    assert (await asyncio.to_thread(curl, "-r", "0-1", "-H", 'If-Range: "other"'))[::2] == (WHOLE, 200)
    half = tmp_path / "half"
    half.write_bytes(WHOLE[:1_000_000])
    command = ["curl", "-s", "-H", f"Authorization: Bearer {token}", "-C", "-", "-o", str(half), address]
    await asyncio.to_thread(subprocess.run, command, check=True)
    assert half.read_bytes() == WHOLE
    body, headers, status = await asyncio.to_thread(curl, "-I")
    assert (status, body, headers["content-length"]) == (200, b"", str(len(WHOLE)))


async def test_the_example_for_curl_stores_goes_on_and_fetches_a_range(
    start_service: Any, caller: Any, token: str, tmp_path: Path
):
    """docs/examples/curl/files.sh; a server that is away ends it, and the same command goes on."""
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space()
    (tmp_path / "Relatório.bin").write_bytes(WHOLE)
    said = {"ROSSIO_FILES": url(program, ""), "ROSSIO_TOKEN": token, "PARENT": space_id, "PATH": os.environ["PATH"]}

    def run(part: int) -> subprocess.CompletedProcess[bytes]:
        command = [str(EXAMPLE), str(tmp_path / "Relatório.bin")]
        return subprocess.run(command, env=said | {"PART": str(part)}, capture_output=True, check=False, timeout=60)

    running = asyncio.create_task(asyncio.to_thread(run, 10_000))
    async with asyncio.timeout(60):
        while not (tmp_path / "Relatório.bin.upload.part").exists():
            await asyncio.sleep(0.01)
    program.kill()
    assert (await running).returncode != 0
    program.start()
    done = await asyncio.to_thread(run, 1_000_000)
    node_id, _, first = done.stdout.partition(b"\n")
    assert (done.returncode, first) == (0, WHOLE[:10]), done.stderr
    ana = caller(program, "doc-ana")
    assert await ana.get(node_id.decode()) == WHOLE
    assert await ana.names(space_id) == ["Relatório.bin"]
    again = await asyncio.to_thread(run, 1_000_000)
    assert again.returncode != 0
    assert b"ALREADY_EXISTS" in again.stderr


async def test_tus_says_what_it_can_and_what_is_wrong(start_service: Any, caller: Any, web: Any, issuer: Issuer):
    program = start_service("document", MAX_FILE_BYTES="4000000")
    ana = caller(program, "doc-ana")
    space_id = await ana.space()
    async with web.options(url(program, "/uploads")) as answer:
        assert answer.status == 204
        assert answer.headers["Tus-Extension"] == "creation,creation-with-upload,expiration,checksum,termination"
        assert answer.headers["Tus-Max-Size"] == "4000000"
        assert answer.headers["Tus-Checksum-Algorithm"].split(",")[0] == "sha1"
    at = await begun(web, program, space_id)
    wrong = {
        412: {"Upload-Offset": "0", "Content-Type": PATCH["Content-Type"]},
        415: {**TUS, "Upload-Offset": "0"},
        409: {**PATCH, "Upload-Offset": "5"},
        400: {**PATCH, "Upload-Offset": "-1"},
        460: {**PATCH, "Upload-Offset": "0", "Upload-Checksum": f"sha1 {base64.b64encode(bytes(20)).decode()}"},
    }
    for status, headers in wrong.items():
        assert await status_of(web.patch(at, headers=headers, data=WHOLE[:1000])) == status
    unknown = {**PATCH, "Upload-Offset": "0", "Upload-Checksum": "crc32 AAAA"}
    assert await status_of(web.patch(at, headers=unknown, data=b"x")) == 400
    async with web.head(at, headers=TUS) as answer:
        assert (answer.headers["Upload-Offset"], answer.headers["Cache-Control"]) == ("0", "no-store")
        assert answer.headers["Upload-Metadata"] == metadata(parent_id=space_id, filename="a.bin")
    async with web.head(at) as answer:
        assert (answer.status, answer.headers["Tus-Version"]) == (412, "1.0.0")
    lengths = ({"Upload-Length": "4000001"}, {"Upload-Length": "no"})
    for said in (*lengths, {"Upload-Length": "1", "Upload-Metadata": "a !"}):
        headers = {**TUS, "Upload-Metadata": metadata(parent_id=space_id, filename="b"), **said}
        assert await status_of(web.post(url(program, "/uploads"), headers=headers)) in {400, 413}
    async with aiohttp.ClientSession() as nobody:
        file = url(program, "/files/x")
        for call in (nobody.head(at, headers=TUS), nobody.get(file), nobody.patch(at, headers=PATCH)):
            assert await status_of(call) == 401
    stranger = {"Authorization": f"Bearer {issuer.token('doc-eva', entity='doc-b')}"}
    async with aiohttp.ClientSession(headers=stranger) as other:
        assert await status_of(other.head(at, headers=TUS)) == 404
        assert await status_of(other.patch(at, headers={**PATCH, "Upload-Offset": "0"}, data=b"x")) == 404
    override = {**TUS, "X-HTTP-Method-Override": "DELETE"}
    assert await status_of(web.post(at, headers=override)) == 204
    assert await status_of(web.head(at, headers=TUS)) == 404


async def test_content_comes_with_the_creation_whole_or_in_part(
    start_service: Any, caller: Any, web: Any, told: Any, tmp_path: Path, token: str
):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id, uploads = await ana.space(), url(program, "/uploads")

    def creation(name: str, size: int = len(WHOLE), **said: str) -> dict[str, str]:
        target = metadata(parent_id=space_id, filename=name, **said)
        return {**PATCH, "Upload-Length": str(size), "Upload-Metadata": target}

    once = creation("whole.bin", request_id="once", sha256=hashlib.sha256(WHOLE).hexdigest())
    listed = set[str]()
    for _ in range(2):  # a client that never heard the answer
        async with web.post(uploads, headers=once, data=BytesIO(WHOLE)) as answer:
            assert (answer.status, answer.headers["Upload-Offset"]) == (201, str(len(WHOLE)))
            listed.add(answer.headers["Rossio-Node-Id"])
            assert await status_of(web.head(url(program, answer.headers["Location"]), headers=TUS)) == 404
    (node_id,) = listed
    assert await ana.get(node_id) == WHOLE
    assert await told.names_about(node_id, 2) == ["FileStored", "document.file.store"]

    async with web.post(uploads, headers=creation("part.bin"), data=BytesIO(WHOLE[:1_000_000])) as answer:
        assert (answer.status, answer.headers["Upload-Offset"]) == (201, "1000000")
        assert "Rossio-Node-Id" not in answer.headers
        at = url(program, answer.headers["Location"])
    async with web.patch(at, headers={**PATCH, "Upload-Offset": "1000000"}, data=BytesIO(WHOLE[1_000_000:])) as answer:
        assert await ana.get(answer.headers["Rossio-Node-Id"]) == WHOLE

    good = base64.b64encode(hashlib.sha1(WHOLE, usedforsecurity=False).digest()).decode()
    refusals: list[tuple[int, dict[str, str], bytes]] = [
        (409, creation("whole.bin"), WHOLE),
        (460, {**creation("a.bin"), "Upload-Checksum": f"sha1 {base64.b64encode(bytes(20)).decode()}"}, WHOLE),
        (400, creation("b.bin", size=1000), WHOLE),
        (400, creation("c.bin", sha256="0" * 64), WHOLE),
        (415, {**creation("d.bin"), "Content-Type": "application/pdf"}, WHOLE),
    ]
    for status, headers, content in refusals:
        assert await status_of(web.post(uploads, headers=headers, data=BytesIO(content))) == status
    checked = {**creation("e.bin"), "Upload-Checksum": f"sha1 {good}"}
    assert await status_of(web.post(uploads, headers=checked, data=BytesIO(WHOLE))) == 201
    assert await status_of(web.post(uploads, headers={**creation("f.bin", size=0)}, data=b"")) == 201

    (tmp_path / "file").write_bytes(WHOLE)
    options = [each for name, value in creation("curl.bin").items() for each in ("-H", f"{name}: {value}")]
    command = ["curl", "-sf", *options, "-H", f"Authorization: Bearer {token}", "-T", "file", "-X", "POST", uploads]
    await asyncio.to_thread(subprocess.run, command, check=True, cwd=tmp_path)
    assert await ana.names(space_id) == ["curl.bin", "e.bin", "f.bin", "part.bin", "whole.bin"]


async def test_of_a_creation_that_breaks_off_with_its_content_nothing_stays(start_service: Any, caller: Any, web: Any):
    program = start_service("document")
    space_id = await caller(program, "doc-ana").space()
    target = metadata(parent_id=space_id, filename="a.bin")
    headers = {**PATCH, "Upload-Length": str(len(WHOLE)), "Upload-Metadata": target, "Content-Length": str(len(WHOLE))}
    incoming = program.folder / "data" / "blobs" / "incoming"

    async def half() -> Any:
        yield WHOLE[:2_000_000]
        async with asyncio.timeout(60):
            while not list(incoming.iterdir()):
                await asyncio.sleep(0.05)
        raise OSError("the client goes")

    with pytest.raises((OSError, aiohttp.ClientError)):
        await status_of(web.post(url(program, "/uploads"), headers=headers, data=half()))
    async with asyncio.timeout(60):
        while list(incoming.iterdir()):
            await asyncio.sleep(0.05)


async def test_a_browser_may_use_it_from_pages_of_known_origins(start_service: Any, caller: Any, web: Any):
    known, other = "https://area.test", "https://elsewhere.test"
    program = start_service("document", HTTP_ORIGINS=f'["{known}"]')
    ana = caller(program, "doc-ana")
    node = await ana.put(WHOLE, parent_id=await ana.space(), name="a.bin")
    uploads, file = url(program, "/uploads"), url(program, f"/files/{node.node_id}")
    asks = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "tus-resumable,upload-offset"}
    async with aiohttp.ClientSession() as browser:  # which asks first, without the token
        for address in (uploads, f"{uploads}/x", file):
            async with browser.options(address, headers={**asks, "Origin": known}) as answer:
                assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, known)
                assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
                assert {"Tus-Resumable", "Upload-Offset"} <= set(
                    answer.headers["Access-Control-Allow-Headers"].split(", ")
                )
            async with browser.options(address, headers={**asks, "Origin": other}) as answer:
                assert not [name for name in answer.headers if name.startswith("Access-Control")]
        async with browser.get(file, headers={"Origin": known}) as answer:  # refusals are for the page to read, too
            assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (401, known)
    for origin, allowed in ((known, known), (other, None)):
        async with web.get(file, headers={"Origin": origin, "Range": "bytes=0-9"}) as answer:
            assert (await answer.read(), answer.headers.get("Access-Control-Allow-Origin")) == (WHOLE[:10], allowed)
            assert answer.headers["Vary"] == "Origin"
            assert ("Content-Range" in answer.headers.get("Access-Control-Expose-Headers", "")) is bool(allowed)


async def test_what_has_come_when_a_client_breaks_off_stays(start_service: Any, caller: Any, web: Any):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space()
    at = await begun(web, program, space_id, sha256=hashlib.sha256(WHOLE).hexdigest())
    sent = asyncio.Event()

    async def half() -> Any:
        for start in range(0, 1_500_000, 100_000):
            yield WHOLE[start : start + 100_000]
        sent.set()
        await asyncio.Event().wait()

    patching = asyncio.create_task(status_of(web.patch(at, headers={**PATCH, "Upload-Offset": "0"}, data=half())))
    await sent.wait()
    incoming = program.folder / "data" / "blobs" / "incoming"
    async with asyncio.timeout(60):
        while sum(path.stat().st_size for path in incoming.iterdir()) < 1 << 20:
            await asyncio.sleep(0.05)
    patching.cancel()
    await asyncio.gather(patching, return_exceptions=True)
    async with asyncio.timeout(60):
        while True:
            async with web.head(at, headers=TUS) as answer:
                if answer.status == 200:
                    break
            await asyncio.sleep(0.05)
    stands = int(answer.headers["Upload-Offset"])
    assert 1 << 20 <= stands <= 1_500_000
    async with web.patch(at, headers={**PATCH, "Upload-Offset": str(stands)}, data=BytesIO(WHOLE[stands:])) as answer:
        assert (answer.status, answer.headers["Upload-Offset"]) == (204, str(len(WHOLE)))
    async with web.get(url(program, f"/files/{answer.headers['Rossio-Node-Id']}")) as got:
        assert await got.read() == WHOLE
