"""What others wrote is shown as they wrote it, and neither steers the terminal nor makes rows of its own."""

import os
import pty
import subprocess
import sys
from contextlib import suppress

import pytest
from cli.command import shown

FOREIGN = "[red]x[/nope] :smile: \x1b]0;title\x07\x9b31m \u202egnp.exe\r\nrow\tcell"
SEEN = "[red]x[/nope] :smile: \\x1b]0;title\\x07\\x9b31m \\u202egnp.exe"
WAYS = {
    "a table": "table(('a',), [(foreign,)])",
    "a row": "line(foreign)",
    "a note": "note(foreign)",
    "a text": "tell(foreign)",
    "a line of the console": "console.print(shown(foreign))",
}


def on_terminal(*command: str, columns: int = 300) -> str:
    """What the command writes to the terminal that it runs on."""
    ours, theirs = pty.openpty()
    told = b""
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=environment(columns)
    ) as program:
        os.close(theirs)
        with suppress(OSError):  # so Linux says that nobody writes to it any more
            while read := os.read(ours, 4096):
                told += read
    os.close(ours)
    assert program.returncode == 0, told.decode()
    return told.decode()


def environment(columns: int = 300) -> dict[str, str]:
    return os.environ | {"COLUMNS": str(columns), "TERM": "xterm", "PYTHONIOENCODING": "utf-8"}


def script(way: str) -> str:
    return f"from cli.command import console, line, note, shown, table, tell\nforeign = {FOREIGN!r}\n{WAYS[way]}"


@pytest.mark.parametrize("way", WAYS)
def test_on_a_terminal_it_stands_as_it_was_written(way: str) -> None:
    told = on_terminal(sys.executable, "-c", script(way))
    assert SEEN in told
    assert not {"\x9b", "\x07", "\u202e"} & set(told)
    assert "\x1b]" not in told


def test_on_a_narrow_terminal_no_cell_is_cut() -> None:
    cells = "a" * 50, "[b]" * 20, FOREIGN
    rows = f"from cli.command import table\ntable(('id', 'name', 'other'), [{cells!r}] * 2)"
    told = on_terminal(sys.executable, "-c", rows, columns=80)
    assert told.count("a" * 50) == told.count("[b]" * 20) == told.count(SEEN) == 2
    wide = on_terminal(sys.executable, "-c", rows)
    assert len(wide.splitlines()) == 3


@pytest.mark.parametrize("way", ["a table", "a row"])
def test_for_programs_a_cell_stays_a_cell_and_a_row_a_row(way: str) -> None:
    done = subprocess.run([sys.executable, "-c", script(way)], capture_output=True, check=True, env=environment())
    assert done.stdout.decode() == f"{SEEN}\\r\\nrow\\tcell\n"


def test_letters_of_every_language_stay() -> None:
    for text in ("João Conceição", "Ζωή", "עברית", "日本語", "👩‍⚕️", "a\u00a0b"):
        assert shown(text) == text
