"""A program is started, waited for and ended, and says what went wrong."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from devstack.program import Failed, Program, free_port, listens


class Shell(Program):
    def __init__(self, folder: Path, script: str) -> None:
        super().__init__("shell", folder)
        self.script = script

    def command(self) -> list[str]:
        return ["sh", "-c", self.script]

    def ready(self) -> bool:
        return "ready" in self.output()


def test_a_program_that_ends_early_says_how_and_shows_its_log(tmp_path: Path) -> None:
    program = Shell(tmp_path, "echo the port is taken; exit 3")
    with pytest.raises(Failed, match=r"ended with code 3(.|\n)*the port is taken"):
        program.start()


def test_a_program_that_does_not_get_ready_is_stopped(tmp_path: Path) -> None:
    program = Shell(tmp_path, "echo thinking; exec sleep 60")
    with pytest.raises(Failed, match="was not ready"):
        program.start(seconds=0.2)
    assert program.pid is None


def test_a_program_that_will_not_end_is_killed(tmp_path: Path) -> None:
    program = Shell(tmp_path, "trap '' TERM; echo ready; while :; do sleep 1; done")
    program.start()
    program.stop(seconds=0.2)
    assert program.exit_code == -9


def test_output_is_that_of_the_last_start_alone(tmp_path: Path) -> None:
    program = Shell(tmp_path, "echo ready; exec sleep 60")
    program.start()
    program.stop()
    program.launch()
    program.wait()
    assert program.output().splitlines() == ["ready"]
    program.stop()
    assert program.log.read_text().splitlines() == ["ready", "ready"]


def test_free_ports_are_free() -> None:
    assert not listens(free_port())


STARTS_AND_WAITS = """
import sys, time
from pathlib import Path
from devstack.program import Program

class Sleeper(Program):
    def command(self):
        return ["sh", "-c", "echo on the leash; exec sleep 600"]

    def ready(self):
        return "leash" in self.output()

sleeper = Sleeper("sleeper", Path(sys.argv[1]))
sleeper.start()
print(sleeper.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="the leash is util-linux's setpriv")
def test_a_program_does_not_outlive_a_killed_starter(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STARTS_AND_WAITS, tmp_path], stdout=subprocess.PIPE, text=True
    ) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        assert _runs(pid)
        os.kill(starter.pid, 9)
    deadline = time.monotonic() + 10
    while _runs(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
