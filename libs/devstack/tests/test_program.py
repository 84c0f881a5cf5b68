"""A program is started, waited for and ended, and says what went wrong."""

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
