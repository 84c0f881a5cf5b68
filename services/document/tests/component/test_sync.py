"""`rossio doc sync`, run again and again: the folder is as the space is, and what is not of the space stays."""

import asyncio
import base64
import hashlib
import json
import os
import signal
import struct
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cli.doc_copy import STATE
from devstack.issuer import Issuer

pytestmark = pytest.mark.usefixtures("ministry")
TEXT = b"Acta.\n" * 100_000

Sync = Callable[..., Awaitable[dict[str, bytes]]]


def command(issuer: Issuer, program: Any, *arguments: str) -> tuple[list[str], dict[str, str]]:
    environment = {
        **os.environ,
        "ROSSIO_ENDPOINTS": f"document={program.grpc}",
        "ROSSIO_TOKEN": issuer.token("doc-rui", entity="doc-a"),
    }
    return [sys.executable, "-m", "cli.main", "doc", "sync", *arguments], environment


def lies_in(copy: Path) -> dict[str, bytes]:
    """The files of a copy, by path, but for those of the program."""
    found = [path for path in copy.rglob("*") if path.is_file() and not path.name.startswith(".rossio-sync")]
    return {str(path.relative_to(copy)): path.read_bytes() for path in found}


@pytest.fixture
def synced(issuer: Issuer, tmp_path: Path) -> Sync:
    """`await synced(program, space_id)` brings the copy at `tmp_path/copy` up to date: what lies there then."""

    async def once(program: Any, space_id: str) -> dict[str, bytes]:
        words, environment = command(issuer, program, "--once", space_id, str(tmp_path / "copy"))
        process = await asyncio.create_subprocess_exec(*words, env=environment, stderr=asyncio.subprocess.PIPE)
        _, said = await process.communicate()
        assert process.returncode == 0, said.decode()
        return lies_in(tmp_path / "copy")

    return once


async def test_what_came_changed_moved_and_went(start_service: Any, caller: Any, synced: Sync, tmp_path: Path):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space("Casa")
    folder = await ana.folder(space_id, "Relatórios")
    file = await ana.put(TEXT, parent_id=folder.node_id, name="Acta.txt")
    other = await ana.put(b"", parent_id=space_id, name="vazio")
    copy = tmp_path / "copy"

    assert await synced(program, space_id) == {"Relatórios/Acta.txt": TEXT, "vazio": b""}
    (copy / "meu.txt").write_bytes(b"mine")
    await ana.put(TEXT + b"more", node_id=file.node_id)
    await ana.trash(other.node_id)
    await ana.do("Rename", node_id=folder.node_id, name="Arquivo")
    inner = await ana.folder(folder.node_id, "2026")
    await ana.put(b"new", parent_id=inner.node_id, name="b")
    assert await synced(program, space_id) == {
        "Arquivo/Acta.txt": TEXT + b"more",
        "Arquivo/2026/b": b"new",
        "meu.txt": b"mine",
    }
    (copy / "Arquivo" / "Acta.txt").write_bytes(b"spoilt")
    await ana.trash(inner.node_id)
    after = await synced(program, space_id)
    assert hashlib.sha256(after.pop("Arquivo/Acta.txt")).digest() == hashlib.sha256(TEXT + b"more").digest()
    assert after == {"meu.txt": b"mine"}
    await ana.trash(folder.node_id)
    assert await synced(program, space_id) == {"meu.txt": b"mine"}
    await ana.do("Restore", node_id=folder.node_id)
    assert await synced(program, space_id) == {"Arquivo/Acta.txt": TEXT + b"more", "meu.txt": b"mine"}


async def test_names_go_round_and_new_files_take_old_names(start_service: Any, caller: Any, synced: Sync):
    """What is in the way of each other ends where the space has it, in one run."""
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space("Casa")
    one, two = [(await ana.put(name.encode(), parent_id=space_id, name=name)).node_id for name in ("um", "dois")]
    left, right = [await ana.folder(space_id, name) for name in ("esquerda", "direita")]
    inner = await ana.folder(left.node_id, "dentro")
    await ana.put(b"left", parent_id=inner.node_id, name="f")
    await ana.put(b"right", parent_id=right.node_id, name="f")
    acta = await ana.put(b"old", parent_id=space_id, name="acta")
    await synced(program, space_id)

    async def rename(node_id: str, *names: str) -> None:
        for name in names:
            await ana.do("Rename", node_id=node_id, name=name)

    await rename(one, "x")
    await rename(two, "um")
    await rename(one, "dois")
    await rename(left.node_id, "x")
    await rename(right.node_id, "esquerda")
    await rename(left.node_id, "direita")
    await rename(acta.node_id, "acta antiga")
    await ana.put(b"new", parent_id=space_id, name="acta")
    expected = {"um": b"dois", "dois": b"um", "acta": b"new", "acta antiga": b"old"}
    assert await synced(program, space_id) == expected | {"direita/dentro/f": b"left", "esquerda/f": b"right"}
    await ana.do("Move", node_id=inner.node_id, parent_id=space_id)
    await ana.do("Move", node_id=left.node_id, parent_id=inner.node_id)
    await ana.do("Move", node_id=right.node_id, parent_id=left.node_id)
    await rename(acta.node_id, "ACTA ANTIGA")
    del expected["acta antiga"]
    expected |= {"ACTA ANTIGA": b"old", "dentro/f": b"left", "dentro/direita/esquerda/f": b"right"}
    assert await synced(program, space_id) == expected


async def test_another_file_or_folder_of_the_same_name_takes_its_place(start_service: Any, caller: Any, synced: Sync):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space("Casa")
    same, equal = [await ana.put(b"one", parent_id=space_id, name=name) for name in ("same", "equal")]
    file, folder = await ana.put(b"f", parent_id=space_id, name="file"), await ana.folder(space_id, "folder")
    await ana.put(b"f", parent_id=folder.node_id, name="f")
    await synced(program, space_id)
    for node in (same, equal, file, folder):
        await ana.trash(node.node_id)
    await ana.put(b"two", parent_id=space_id, name="same")
    await ana.put(b"one", parent_id=space_id, name="equal")
    await ana.put(b"g", parent_id=(await ana.folder(space_id, "file")).node_id, name="g")
    await ana.put(b"h", parent_id=space_id, name="folder")
    assert await synced(program, space_id) == {"same": b"two", "equal": b"one", "file/g": b"g", "folder": b"h"}


async def test_what_people_have_put_there_is_never_lost(start_service: Any, caller: Any, synced: Sync, tmp_path: Path):
    """Not when the space gets something of that name, nor with a folder that is moved or goes."""
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space("Casa")
    folder = await ana.folder(space_id, "pasta")
    await ana.put(b"x", parent_id=folder.node_id, name="x")
    await synced(program, space_id)
    copy = tmp_path / "copy"
    (copy / "meu.tar.gz").write_bytes(b"mine")
    (copy / "novo").write_bytes(b"mine")
    (copy / "pasta" / "nota").write_bytes(b"note")
    await ana.put(b"theirs", parent_id=space_id, name="meu.tar.gz")
    new = await ana.folder(space_id, "novo")
    await ana.put(b"theirs", parent_id=new.node_id, name="t")
    await ana.do("Rename", node_id=folder.node_id, name="arquivo")
    expected = {"meu.tar.gz": b"theirs", "meu.tar (local).gz": b"mine", "novo/t": b"theirs", "novo (local)": b"mine"}
    assert await synced(program, space_id) == expected | {"arquivo/x": b"x", "arquivo/nota": b"note"}
    (copy / "novo" / "t").write_bytes(b"changed here")
    await ana.trash(folder.node_id)
    await ana.trash(new.node_id)
    expected["novo/t"] = b"changed here"
    assert await synced(program, space_id) == expected | {"arquivo/nota": b"note"}
    await ana.do("Restore", node_id=new.node_id)
    expected |= {"novo/t": b"theirs", "novo/t (local)": b"changed here", "arquivo/nota": b"note"}
    assert await synced(program, space_id) == expected


async def test_names_of_its_own_are_left_out_and_stop_nothing(start_service: Any, caller: Any, synced: Sync):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space("Casa")
    for name in (STATE, ".ROSSIO-SYNC", "a", "a.part"):
        await ana.put(name.encode(), parent_id=space_id, name=name)
    assert await synced(program, space_id) == {"a": b"a", "a.part": b"a.part"}
    await ana.put(b"more", node_id=(await node_named(ana, space_id, "a")).node_id)
    assert await synced(program, space_id) == {"a": b"more", "a.part": b"a.part"}


async def node_named(person: Any, folder_id: str, name: str) -> Any:
    (node,) = [node for node in (await person.do("ListFolder", node_id=folder_id)).nodes if node.name == name]
    return node


async def test_who_was_away_too_long_begins_anew_and_keeps_nothing_that_went(
    start_service: Any, caller: Any, synced: Sync, tmp_path: Path
):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id = await ana.space("Casa")
    gone = await ana.folder(space_id, "velho")
    await ana.put(b"x", parent_id=gone.node_id, name="x")
    await ana.put(b"y", parent_id=space_id, name="y")
    await synced(program, space_id)
    await ana.trash(gone.node_id)
    state = tmp_path / "copy" / STATE
    known = json.loads(state.read_text())
    long_ago = round((datetime.now(UTC) - timedelta(days=31)).timestamp() * 1000)
    known["token"] = base64.urlsafe_b64encode(struct.pack(">Bq8s", 2, long_ago, b"")).decode()
    state.write_text(json.dumps(known))
    assert await synced(program, space_id) == {"y": b"y"}


async def test_it_goes_on_when_the_service_or_itself_was_killed(
    start_service: Any, caller: Any, issuer: Issuer, tmp_path: Path
):
    program = start_service("document")
    ana = caller(program, "doc-ana")
    space_id, copy = await ana.space("Casa"), tmp_path / "copy"
    await ana.put(TEXT, parent_id=space_id, name="a")

    async def until(expected: dict[str, bytes]) -> None:
        async with asyncio.timeout(60):
            while not copy.is_dir() or lies_in(copy) != expected:
                await asyncio.sleep(0.05)

    async def started() -> asyncio.subprocess.Process:
        words, environment = command(issuer, program, space_id, str(copy))
        return await asyncio.create_subprocess_exec(*words, env=environment)

    process = await started()
    await until({"a": TEXT})
    program.kill()
    program.start()
    ana = caller(program, "doc-ana")
    await ana.put(b"b", parent_id=space_id, name="b")
    await until({"a": TEXT, "b": b"b"})
    assert process.returncode is None
    process.kill()
    await process.wait()
    await ana.put(b"c", parent_id=space_id, name="c")
    process = await started()
    await until({"a": TEXT, "b": b"b", "c": b"c"})
    process.send_signal(signal.SIGINT)
    await process.wait()
