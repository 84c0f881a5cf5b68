"""tus-js-client, which others wrote, under Node: as docs/examples/node/upload.js uses it, broken off and given up."""

import asyncio
import hashlib
import json
import os
import shutil
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from devstack.issuer import Issuer

pytestmark = pytest.mark.usefixtures("ministry")
EXAMPLE = Path(__file__).parents[4] / "docs" / "examples" / "node"
WHOLE = hashlib.shake_256(b"tus-js").digest(5_000_011)
PART = 700_001

Start = Callable[..., Awaitable[Process]]


@pytest.fixture
async def upload(issuer: Issuer, tmp_path: Path) -> Any:
    """`await upload(program, parent_id)` starts the example on a file with WHOLE in it."""
    if shutil.which("node") is None or not (EXAMPLE / "node_modules" / "tus-js-client").is_dir():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("tus-js-client is missing: `make tools` says why")
    path = tmp_path / "Relatório.bin"
    path.write_bytes(WHOLE)
    started = list[Process]()

    async def start(program: Any, parent_id: str) -> Process:
        variables = {
            "PATH": os.environ["PATH"],
            "ROSSIO_FILES": f"http://{program.addresses['HTTP_ADDRESS']}",
            "ROSSIO_TOKEN": issuer.token("doc-ana", entity="doc-a"),
            "PARENT": parent_id,
            "MEMORY": str(tmp_path / "uploads.json"),
            "PART": str(PART),
        }
        command = ("node", str(EXAMPLE / "upload.js"), str(path))
        started.append(await asyncio.create_subprocess_exec(*command, env=variables, stdout=PIPE, stderr=PIPE))
        return started[-1]

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def accepted(process: Process) -> int:
    """How many bytes the server has taken by the next line that the client prints."""
    assert process.stderr is not None
    async with asyncio.timeout(60):
        return int((await process.stderr.readline()).split()[0])


async def listed(process: Process) -> tuple[str, list[int]]:
    """The id of the file, and what the server had taken after each part."""
    async with asyncio.timeout(60):
        out, said = await process.communicate()
    assert process.returncode == 0, said
    return out.decode().strip(), [int(line.split()[0]) for line in said.splitlines()]


async def test_it_goes_on_where_it_was_when_client_and_server_died(start_service: Any, caller: Any, upload: Start):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space()
    first = await upload(program, space_id)
    assert await accepted(first) == PART
    first.kill()
    await first.wait()
    program.kill()
    program.start()
    ana = caller(program, "doc-ana")
    assert await ana.names(space_id) == []
    node_id, parts = await listed(await upload(program, space_id))
    assert parts[0] > PART, "it did not begin again"
    assert parts[-1] == len(WHOLE)
    assert await ana.names(space_id) == ["Relatório.bin"]
    assert await ana.get(node_id) == WHOLE


async def test_what_it_gives_up_is_gone(start_service: Any, caller: Any, upload: Start, issuer: Issuer, tmp_path: Path):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space()
    process = await upload(program, space_id)
    assert await accepted(process) == PART
    (remembered,) = json.loads((tmp_path / "uploads.json").read_text()).values()
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(60):
        await process.wait()
    assert process.returncode == 130
    headers = {"Authorization": f"Bearer {issuer.token('doc-ana', entity='doc-a')}", "Tus-Resumable": "1.0.0"}
    async with aiohttp.ClientSession(headers=headers) as session, session.head(remembered["uploadUrl"]) as answer:
        assert answer.status == 404
    assert await ana.names(space_id) == []
    assert list((program.folder / "data" / "blobs" / "incoming").iterdir()) == []
