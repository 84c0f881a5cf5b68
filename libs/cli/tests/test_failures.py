"""How the command fails where no suite runs: a line on stderr, nothing on stdout, exit status 1."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

POST = ("news", "publish", "title")


def rossio(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    outside = {"ROSSIO_ENDPOINTS", "ROSSIO_TOKEN", "KAFKA_BOOTSTRAP"}
    environment = {name: value for name, value in os.environ.items() if name not in outside} | settings
    return subprocess.run(
        [sys.executable, "-c", "from cli.entry import main; main()", *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        (("news", "feed", "--as", "p000001"), {}, "start one with `rossio up`"),
        (("token", "p000001"), {}, "start one with `rossio up`"),
        (("dlq", "list"), {}, "start one with `rossio up`"),
        (("dlq", "list"), {"ROSSIO_ENDPOINTS": "governance=127.0.0.1:1"}, "say who you are"),
        (("trace", "0af7"), {}, "no span of trace 0af7"),
        (("news", "feed"), {"ROSSIO_ENDPOINTS": "news=127.0.0.1:1"}, "say who you are"),
        (("news", "feed"), {"ROSSIO_ENDPOINTS": "garbage", "ROSSIO_TOKEN": "t"}, "it is of the form"),
        (("mail", "trace"), {}, "--message-id, --sender or --recipient"),
        (("doc", "share", "node"), {}, "--person, --group, --entity"),
        (("notify", "prescription", "1", "+351912345678"), {}, "ROSSIO_ACCESS_CODE"),
        ((*POST, "latin.md"), {}, "latin.md is not UTF-8 text"),
    ],
)
def test_a_failure_is_one_line(tmp_path: Path, arguments: tuple[str, ...], settings: dict[str, str], said: str) -> None:
    (tmp_path / "latin.md").write_bytes(b"a\xe7\xe3o")
    done = rossio(tmp_path, *arguments, **settings)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("rossio: ")
    assert said in done.stderr


@pytest.mark.parametrize("arguments", [("nope",), ("doc", "share"), (*POST, "none.md")])
def test_a_wrong_command_line_is_told_in_plain_text(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = rossio(tmp_path, *arguments)
    assert done.returncode == 2
    assert done.stderr.isascii()
    assert "Traceback" not in done.stderr
