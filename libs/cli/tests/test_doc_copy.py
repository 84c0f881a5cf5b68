"""The folder of `rossio doc sync` when the program dies between any two of its steps."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli import doc_copy
from cli.doc_copy import Copy
from rossio.document.v1 import document_pb2

SPACE = "s"
BEFORE = {"um": ("s", "um"), "dois": ("s", "dois"), "esq": ("s", "esq"), "dir": ("s", "dir"), "in": ("esq", "in")}
AFTER = {"um": ("s", "dois"), "dois": ("s", "um"), "esq": ("dir", "x"), "dir": ("s", "esq"), "in": ("s", "in")}
FOLDERS = {"esq", "dir", "in"}
FILES = {"f1": ("esq", "f"), "f2": ("dir", "f"), "f3": ("in", "f")}
"""What lies in the folders, and does not move by itself."""


class Died(BaseException):
    pass


def node(node_id: str, parent_id: str, name: str) -> document_pb2.Node:
    made = document_pb2.Node(node_id=node_id, parent_id=parent_id, name=name)
    if node_id not in FOLDERS:
        made.version.sha256 = hashlib.sha256(node_id.encode()).hexdigest()
    return made


async def brought(folder: Path, places: dict[str, tuple[str, str]]) -> None:
    copy = Copy.opened(folder, SPACE)
    for node_id, (parent_id, name) in (places | FILES).items():
        copy.take(node(node_id, parent_id, name))
    await copy.bring(None)  # type: ignore[arg-type]  # nothing is asked of it here
    copy.save()


def lies_in(folder: Path) -> dict[str, str]:
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != doc_copy.STATE]
    return {str(path.relative_to(folder)): path.read_text() for path in found}


@pytest.fixture(autouse=True)
def _download(monkeypatch: pytest.MonkeyPatch) -> None:
    async def download(_: Any, node_id: str, file: Path, **__: str) -> None:
        file.write_text(node_id)

    monkeypatch.setattr(doc_copy, "download", download)


@pytest.mark.parametrize("step", ["rename", "save"])
async def test_a_run_that_died_anywhere_is_ended_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Before any rename, and behind it, before it is written down; and what people have put there stays."""
    died, number = True, 0
    while died:
        number += 1
        folder = tmp_path / str(number)
        await brought(folder, BEFORE)
        (folder / "esq" / "mine").write_text("mine")
        owner: type[Any] = Path if step == "rename" else Copy
        real: Callable[..., Any] = getattr(owner, step)
        left = number

        def dying(*arguments: Any, real: Callable[..., Any] = real) -> Any:
            nonlocal left
            left -= 1
            if not left:
                raise Died
            return real(*arguments)

        with monkeypatch.context() as patched:
            patched.setattr(owner, step, dying)
            try:
                await brought(folder, AFTER)
                died = False
            except Died:
                pass
        await brought(folder, AFTER)
        expected = {"dois": "um", "um": "dois", "esq/f": "f2", "esq/x/f": "f1", "esq/x/mine": "mine", "in/f": "f3"}
        assert lies_in(folder) == expected, number
    assert number > 8
