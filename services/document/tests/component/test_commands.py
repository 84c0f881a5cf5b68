"""The `rossio doc` commands against a running service, as an operator or a script calls them."""

import asyncio
import filecmp
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import store
from cli.main import app
from devstack.issuer import Issuer
from typer.testing import CliRunner

pytestmark = pytest.mark.usefixtures("ministry")


@pytest.fixture
def rossio(issuer: Issuer) -> Callable[..., Any]:
    """`await rossio(program, person, *arguments)` is what the command prints, without the last line's end."""

    async def run(program: Any, person: str, *arguments: str, roles: Sequence[str] = ()) -> str:
        variables = {
            "ROSSIO_ENDPOINTS": f"document={program.grpc}",
            "ROSSIO_TOKEN": issuer.token(person, entity="doc-a", roles=roles),
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
    team = await ana("space", "Equipa", "--team", "doc-ward")
    assert "group doc-ward\teditor" in await ana("grants", team)
    space = await ana("space", "Actas")
    old, new = await ana("mkdir", space, "old"), await ana("mkdir", space, "new")
    file = await ana("put", str(source), old)
    await ana("mv", file, new, "--name", "Acta 1.txt")
    await ana("mv", file, "--name", "Acta 2.txt")
    copy = await ana("cp", new, old, "--name", "copy")
    assert [line.split("\t")[2] for line in (await ana("ls", copy)).splitlines()] == ["Acta 2.txt"]

    assert (await ana("ls", space)).splitlines() == [f"{new}\t-\tnew", f"{old}\t-\told"]

    await ana("version", file, "1", "freeze")
    await ana("version", file, "1", "restore")
    source.write_bytes(b"Acta, emendada.\n")
    assert await ana("put", str(source), file) == file
    assert [line.split("\t")[4] for line in (await ana("versions", file)).splitlines()] == ["", "", "frozen"]
    differ = dict(line.split("\t", 1) for line in (await ana("diff", file, "1")).splitlines())
    assert (differ["number"], differ["size"], differ["frozen"]) == ("1\t3", "6\t16", "True\tFalse")
    assert "author" not in differ
    same = dict(line.split("\t", 1) for line in (await ana("diff", file, "1", "2")).splitlines())
    assert set(same) - {"at"} == {"number", "frozen"}
    (tmp_path / "folder").mkdir()
    await ana("get", file, str(tmp_path / "folder"))
    await ana("get", file, str(tmp_path / "first"), "--version", "1")
    assert (tmp_path / "folder" / "Acta 2.txt").read_bytes() == b"Acta, emendada.\n"
    assert (tmp_path / "first").read_bytes() == b"Acta.\n"
    assert "T" in await ana("lock", file, "--seconds", "60")
    await ana("unlock", file)

    grant = await ana("share", new, "--group", "doc-ward", "--role", "editor", "--deny")
    assert f"{grant}\t{new}\tgroup doc-ward\tnot editor" in await ana("grants", file)
    await ana("unshare", new, grant)
    await ana("label", new, "public")
    assert await ana("shared") == "", "all that they see lies in their spaces"
    assert (await ana("why", file)).splitlines()[0] == "manager"
    assert (await ana("why", file, "--citizen", "c-joana")).splitlines() == ["nothing"]

    link = await ana("link", file, "--uses", "1", "--password")
    assert link.startswith(f"http://{program.addresses['HTTP_ADDRESS']}/links/")
    await ana("open", link, str(tmp_path / "fetched"), "--password")
    assert (tmp_path / "fetched").read_bytes() == b"Acta, emendada.\n"
    link_id, _, *how = (await ana("links", file)).split("\t")
    assert how == ["1/1", "password"]
    await ana("unlink", file, link_id)
    assert (await ana("links", file)).endswith("\tpassword, revoked")

    assert await ana("quota", space) == "space\t34\t-\nentity\t34\t-"
    await ana("rm", new)
    assert new in await ana("trash", space)
    await ana("restore", new, "--name", "new again")
    await ana("rm", new)
    await ana("rm", new, "--purge")
    assert await ana("trash", space) == ""


async def test_a_folder_goes_up_with_all_in_it_and_again_only_what_differs(
    start_service: Any, caller: Any, rossio: Any, tmp_path: Path
):
    program = start_service("document", ROLES="api")
    ana = caller(program, "doc-ana")
    space = await ana.space("Partilha")
    folder = tmp_path / "Relato\u0301rios"
    (folder / "2026" / "vazia").mkdir(parents=True)
    (folder / "2026" / "a.txt").write_bytes(b"a")
    (folder / "b.txt").write_bytes(b"b")
    (folder / "link").symlink_to(folder / "b.txt")
    top = await rossio(program, "doc-ana", "put", str(folder), space)
    assert [await ana.names(node_id) for node_id in (space, top)] == [["Relat\u00f3rios"], ["2026", "b.txt"]]
    listed = {node.name: node for node in (await ana.do("ListFolder", node_id=top)).nodes}
    assert await ana.names(listed["2026"].node_id) == ["a.txt", "vazia"]
    (folder / "b.txt").write_bytes(b"more")
    (folder / "B?.txt").write_bytes(b"a name that Windows cannot hold")
    (folder / "c.txt").write_bytes(b"c")
    with pytest.raises(AssertionError, match="1 could not be stored"):
        await rossio(program, "doc-ana", "put", str(folder), space)
    again = {node.name: node for node in (await ana.do("ListFolder", node_id=top)).nodes}
    assert set(again) == {"2026", "b.txt", "c.txt"}
    assert (again["b.txt"].version.number, await ana.get(again["b.txt"].node_id)) == (2, b"more")
    below = (await ana.do("ListFolder", node_id=listed["2026"].node_id)).nodes
    assert [node.version.number for node in below if node.name == "a.txt"] == [1]


async def test_a_list_is_whole_however_long_it_is(start_service: Any, caller: Any, rossio: Any):
    program = start_service("document", ROLES="api")
    ana = caller(program, "doc-ana")
    space = await ana.space("Muitos")
    for begin in range(0, 1001, 77):
        await asyncio.gather(*(ana.folder(space, f"{n:04}") for n in range(begin, min(begin + 77, 1001))))
    lines = (await rossio(program, "doc-ana", "ls", space)).splitlines()
    assert [line.split("\t")[2] for line in lines] == [f"{n:04}" for n in range(1001)]


async def test_a_file_goes_up_and_comes_down_through_the_death_of_the_service_while_bars_are_shown(
    start_service: Any, caller: Any, rossio: Any, issuer: Issuer, tmp_path: Path
):
    program = start_service("document", ROLES="api")
    space = await rossio(program, "doc-ana", "space", "Grandes")
    source, fetched = tmp_path / "large.bin", tmp_path / "fetched.bin"
    with source.open("wb") as file:
        for number in range(LARGE_MIB):
            file.write(number.to_bytes(8) * 131_072)
    terminal = Terminal(program, issuer.token("doc-ana", entity="doc-a"))
    incoming = program.folder / "data" / "blobs" / "incoming"
    up = await terminal.dying("put", str(source), space, when=lambda: reaches(incoming.glob("*")))
    node_id = re.findall(r"[0-9a-f]{32}", up)[-1]
    assert await caller(program, "doc-ana").names(space) == [source.name]
    down = await terminal.dying("get", node_id, str(fetched), when=lambda: reaches(tmp_path.glob("*.part")))
    assert filecmp.cmp(source, fetched, shallow=False)
    for shown in (up, down):
        assert "broken off at" in shown
        assert "MB/s" in shown


LARGE_MIB = 256


def reaches(files: Iterable[Path]) -> bool:
    """Whether an eighth has come."""
    return sum(file.stat().st_size for file in files) > LARGE_MIB << 17


@dataclass(frozen=True)
class Terminal:
    """Where somebody types `rossio doc` and sees what it shows, while the service dies and comes back."""

    program: Any
    token: str

    async def dying(self, *arguments: str, when: Callable[[], bool]) -> str:
        """What the command showed; the service was killed and started once, at that moment."""
        ours, theirs = pty.openpty()
        variables = {"ROSSIO_ENDPOINTS": f"document={self.program.grpc}", "ROSSIO_TOKEN": self.token}
        command = subprocess.Popen(
            [sys.executable, "-m", "cli.main", "doc", *arguments],
            env=os.environ | variables | {"TERM": "xterm", "COLUMNS": "200"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        showing = asyncio.create_task(asyncio.to_thread(_shown, ours))
        async with asyncio.timeout(60):
            while not when():
                assert command.poll() is None, await showing
                await asyncio.sleep(0.002)
        self.program.kill()
        await asyncio.to_thread(self.program.start)
        shown = await asyncio.wait_for(showing, 120)
        assert command.wait(10) == 0, shown
        return shown


def _shown(terminal: int) -> str:
    """All that is written to a terminal until nobody has it open any more."""
    parts = list[bytes]()
    with suppress(OSError), os.fdopen(terminal, "rb", buffering=0) as file:
        while part := file.read(65536):
            parts.append(part)
    return b"".join(parts).decode()


async def test_what_is_found_and_how_the_index_is_made_anew(start_service: Any, rossio: Any, tmp_path: Path):
    program = start_service("document")

    async def ana(*arguments: str) -> str:
        return str(await rossio(program, "doc-ana", *arguments))

    source = tmp_path / "Acta.txt"
    source.write_text("As receitas médicas do hospital.")
    space = await ana("space", "Actas")
    file = await ana("put", str(source), await ana("mkdir", space, "Reuniões"))
    async with asyncio.timeout(60):
        while await ana("extraction", file) != "text":
            await asyncio.sleep(0.1)
        while not (found := await ana("search", "receita medica", "--within", "reunioes", "--type", "text")):
            await asyncio.sleep(0.1)
    node, _, path, text = found.split("\t")
    assert (node, path) == (file, "Actas/Reuniões/Acta.txt")
    assert text == "As [receitas] [médicas] do hospital."
    assert await ana("search", "receita", "--until", "2020-01-01", "--label", "public") == ""
    assert len((await ana("search", "--space", space, "--most", "2")).splitlines()) == 2
    await rossio(program, "doc-ana", "reindex", "doc-a", roles=["document.admin"])
    async with asyncio.timeout(60):
        while not list((program.folder / "data" / "index").glob("*/doc-a.1")):
            await asyncio.sleep(0.1)
    assert (await ana("search", "receita")).startswith(file)


async def test_a_counter_that_was_made_wrong_is_told_and_corrected(
    start_service: Any, rossio: Any, tmp_path: Path, mongo: str
):
    """By what is stored, also in the trash; a dry run corrects nothing, and a second run finds nothing."""
    program = start_service("document")
    source = tmp_path / "Acta.txt"
    source.write_bytes(b"Acta.\n")

    async def ana(*arguments: str) -> str:
        return str(await rossio(program, "doc-ana", *arguments, roles=["document.admin"]))

    space, other = await ana("space", "Actas"), await ana("space", "Outras")
    await ana("put", str(source), space)
    await ana("put", str(source), other)
    await ana("rm", await ana("put", str(source), await ana("mkdir", space, "f")))
    assert await ana("recount", "doc-a", "--dry-run") == ""
    database = store.connect(mongo, program.environment()["MONGODB_DATABASE"])
    usages = database.collection("usages")
    for holder, wrong in ((f"space:{space}", 100), ("entity:doc-a", -7)):
        await usages.update(holder, {"$inc": {"used": wrong, "free": -wrong}})
    expected = f"entity\t11\t18\n{space}\t112\t12"
    assert await ana("recount", "doc-a", "--dry-run") == expected
    assert await ana("quota", space) == "space\t112\t-\nentity\t11\t-"
    assert await ana("recount", "doc-a") == expected
    assert await ana("quota", space) == "space\t12\t-\nentity\t18\t-"
    assert await ana("recount", "doc-a") == ""
    document = await usages.get(f"space:{space}")
    assert document is not None
    assert document["free"] == document["limit"] - 12, "what may still be stored was corrected with it"
    await database.close()
