"""`rossio directory import` as the one who has new CSV files types it: tried first, then all of them or nothing."""

import asyncio
import csv
import os
import sys
from pathlib import Path

import pytest

from tests.e2e.running import Running

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="session")]


async def rossio(running: Running, *arguments: str) -> tuple[int, str, str]:
    """How `rossio directory` ends, what it prints, and what it says beside it."""
    endpoints = ",".join(f"{name}={address}" for name, address in running.stage.stack.endpoints.items())
    token = running.suite.issuer.token("import", kind="service", roles=["directory.admin", "ministry.admin"])
    program = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("rossio"),
        "directory",
        *arguments,
        env=os.environ | {"ROSSIO_ENDPOINTS": endpoints, "ROSSIO_TOKEN": token, "COLUMNS": "400"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, wrong = await program.communicate()
    return program.returncode or 0, said.decode(), wrong.decode()


def changed(running: Running, folder: Path, number: int, column: str, value: str) -> str:
    """Writes people.csv with one other value in the line of that number; returns whose it is."""
    with (running.suite.folder / "csv" / "people.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    row = rows[number - 2]
    row[column] = value
    with (folder / "people.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return row["person_id"]


async def test_files_are_tried_refused_by_line_and_taken_whole(running: Running, tmp_path: Path) -> None:
    changed(running, tmp_path, 7, "addresses", "no address")
    for options in ((), ("--dry-run",)):
        code, said, wrong = await rossio(running, "import", str(tmp_path), *options)
        assert code == 1
        assert wrong.startswith("people.csv:7 addresses: ")
        assert wrong.splitlines()[-1].endswith("error(s) in the files; nothing was changed")

    person_id = changed(running, tmp_path, 9, "family_name", "Novaes")
    for options, before in ((("--dry-run",), False), ((), False), ((), True)):
        code, said, wrong = await rossio(running, "import", str(tmp_path), *options)
        assert (code, wrong) == (0, "")
        counts = next(line.split() for line in said.splitlines() if line.startswith("people"))
        assert counts[1:4] == ["0", "0" if before else "1", "0"]
        _, shown, _ = await rossio(running, "person", person_id)
        assert ("Novaes" in shown) is (not options)


async def test_a_folder_without_any_of_the_files_is_a_line(running: Running, tmp_path: Path) -> None:
    code, _, wrong = await rossio(running, "import", str(tmp_path))
    assert code == 1
    assert wrong == f"rossio: {tmp_path} holds none of entities.csv, units.csv, people.csv, groups.csv\n"
