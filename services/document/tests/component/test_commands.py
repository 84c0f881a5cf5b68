"""The `rossio doc` commands against a running service, as an operator or a script calls them."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli.main import app
from devstack.issuer import Issuer
from typer.testing import CliRunner

pytestmark = pytest.mark.usefixtures("ministry")


@pytest.fixture
def rossio(issuer: Issuer) -> Callable[..., Any]:
    """`await rossio(program, person, *arguments)` is what the command prints, without the last line's end."""

    async def run(program: Any, person: str, *arguments: str) -> str:
        variables = {
            "ROSSIO_ENDPOINTS": f"document={program.grpc}",
            "ROSSIO_TOKEN": issuer.token(person, entity="doc-a"),
            "ROSSIO_LINK_PASSWORD": "açorda",
        }
        done = await asyncio.to_thread(CliRunner().invoke, app, ["doc", *arguments], env=variables)
        assert done.exit_code == 0, (arguments, done.output, done.exception)
        return done.stdout.removesuffix("\n")

    return run


async def test_a_day_with_files(start_service: Any, rossio: Any, tmp_path: Path):
    program = start_service("document")

    async def ana(*arguments: str) -> str:
        return str(await rossio(program, "doc-ana", *arguments))

    source = tmp_path / "Acta.txt"
    source.write_bytes(b"Acta.\n")
    space = await ana("space", "Actas")
    old, new = await ana("mkdir", space, "old"), await ana("mkdir", space, "new")
    file = await ana("put", str(source), old)
    await ana("mv", file, new, "--name", "Acta 1.txt")
    await ana("mv", file, "--name", "Acta 2.txt")
    copy = await ana("cp", new, old, "--name", "copy")
    assert [line.split("\t")[2] for line in (await ana("ls", copy)).splitlines()] == ["Acta 2.txt"]

    await ana("version", file, "1", "freeze")
    await ana("version", file, "1", "restore")
    assert [line.split("\t")[4] for line in (await ana("versions", file)).splitlines()] == ["", "frozen"]
    assert "T" in await ana("lock", file, "--seconds", "60")
    await ana("unlock", file)

    grant = await ana("share", new, "--group", "doc-ward", "--role", "editor", "--deny")
    assert f"{grant}\t{new}\tgroup doc-ward\tnot editor" in await ana("grants", file)
    await ana("unshare", new, grant)
    await ana("label", new, "public")
    assert (await ana("why", file)).splitlines()[0] == "manager"
    assert (await ana("why", file, "--citizen", "c-joana")).splitlines() == ["nothing"]

    link = await ana("link", file, "--uses", "1", "--password")
    assert link.startswith(f"http://{program.addresses['HTTP_ADDRESS']}/links/")
    await ana("open", link, str(tmp_path / "fetched"), "--password")
    assert (tmp_path / "fetched").read_bytes() == b"Acta.\n"
    link_id, _, used, *_ = (await ana("links", file)).split("\t")
    assert used == "1/1"
    await ana("unlink", file, link_id)

    assert await ana("quota", space) == "space\t18\t-\nentity\t18\t-"
    await ana("rm", new)
    assert new in await ana("trash", space)
    await ana("restore", new, "--name", "new again")
    await ana("rm", new)
    await ana("rm", new, "--purge")
    assert await ana("trash", space) == ""
