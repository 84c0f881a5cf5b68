"""How the CI tries the cluster, without one: what hangs is ended and named, and the verdict says whose fault it is."""

import os
import time
from pathlib import Path

import pytest

from tests.cluster import ci, machine

WORKS = ci.Step("works", ("true",), 1)


@pytest.fixture(autouse=True)
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever machine this is: it lacks nothing, and no cluster of another is touched."""
    monkeypatch.setattr(machine, "lacks", list)
    monkeypatch.setattr(ci, "fresh", lambda folder: folder)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.splitlines()[-1]


def test_a_machine_that_lacks_something_says_what_and_does_not_fail(capsys, monkeypatch):
    monkeypatch.setattr(machine, "lacks", lambda: ["root", "Go"])
    assert ci.main([ci.Step("never", ("false",), 1)]) == 0
    assert said(capsys) == "cluster: not tried, this machine lacks root; Go"
    assert ci.main([WORKS], insist=True) == 1


def test_steps_that_work_pass_with_their_minutes(capsys):
    assert ci.main([WORKS, WORKS]) == 0
    assert said(capsys) == "cluster: passed in 0.0 minutes (works 0.0, works 0.0)"


def test_what_is_ours_fails_and_what_is_not_was_not_tried(capsys):
    assert ci.main([WORKS, ci.Step("tests", ("false",), 1)]) == 1
    assert said(capsys).startswith("cluster: FAILED, the step tests ended with code 1")
    assert ci.main([ci.Step("programs", ("false",), 1, ours=False), ci.Step("tests", ("false",), 1)]) == 0
    assert said(capsys).startswith("cluster: not tried, the step programs ended with code 1")


def test_a_step_is_tried_again(capsys, tmp_path):
    """As a download is: it fails until a file is there, which its first try has made."""
    first = f"test -e {tmp_path}/tried || {{ touch {tmp_path}/tried; exit 1; }}"
    assert ci.main([ci.Step("sources", ("sh", "-c", first), 1, tries=2)]) == 0
    assert said(capsys).startswith("cluster: passed")


def test_what_hangs_is_ended_with_all_that_it_started(capsys, tmp_path):
    hangs = f"sleep 300 & echo $! > {tmp_path}/below; wait"
    assert ci.main([ci.Step("tests", ("sh", "-c", hangs), 0.01, tries=3)]) == 1
    assert said(capsys).startswith("cluster: FAILED, the step tests was not done in 0.01 minutes")
    below = int((tmp_path / "below").read_text())
    end = time.monotonic() + 30
    while Path(f"/proc/{below}").exists() and "Z" not in Path(f"/proc/{below}/stat").read_text().split()[2]:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_time_that_others_used_up_is_no_failure_but_a_first_failure_stands(capsys, tmp_path):
    assert ci.main([ci.Step("tests", ("sleep", "300"), 5)], most_minutes=0.01) == 0
    assert said(capsys).startswith("cluster: not tried to its end, 0.01 minutes were over in the step tests")
    fails_then_hangs = f"test -e {tmp_path}/tried && sleep 300; touch {tmp_path}/tried; exit 1"
    assert ci.main([ci.Step("tests", ("sh", "-c", fails_then_hangs), 5, tries=2)], most_minutes=0.02) == 1
    assert said(capsys).startswith("cluster: FAILED, the step tests ended with code 1")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make what is looked for")
def test_this_machine_is_looked_at(monkeypatch):
    monkeypatch.undo()
    assert all(isinstance(lack, str) for lack in machine.lacking_network())
    assert all(isinstance(lack, str) for lack in machine.lacks())
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert machine.lacks() == ["root: network namespaces, mounts and cgroups are made"]
