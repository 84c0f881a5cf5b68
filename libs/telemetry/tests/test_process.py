"""Health, loops and kill points."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest
import telemetry
from telemetry import background, capture, health, names


@pytest.fixture(autouse=True)
def no_checks():
    yield
    for name in list(health.report()):
        health.forget(name)


def test_a_process_is_ready_when_every_check_holds():
    state = {"broker": None, "store": "no answer since 12 s"}
    assert health.ready()
    health.check("broker", lambda: state["broker"])
    health.check("store", lambda: state["store"])
    assert not health.ready()
    assert health.report() == state
    assert 'rossio_ready{check="store"} 0.0' in telemetry.exposition()[1].decode()
    state["store"] = None
    assert 'rossio_ready{check="store"} 1.0' in telemetry.exposition()[1].decode()
    assert health.ready()
    state["broker"] = "gone"
    health.forget("broker")
    assert health.ready()


def test_a_started_process_says_which_release_it_is():
    with telemetry.start("news", version="1.2.3"):
        assert capture.value(names.BUILD, version="1.2.3") == 1
    assert capture.value(names.BUILD, version="9") == 0


KILLED = """
from telemetry import points
for number in range(5):
    points.reached("other")
    points.reached("accepted")
    print(number, flush=True)
"""


@pytest.mark.parametrize(("at", "passed"), [("accepted", 0), ("accepted:3", 2), ("nowhere", 5), ("", 5)])
def test_a_kill_point_kills_at_its_nth_passing(at, passed):
    done = subprocess.run(
        [sys.executable, "-c", KILLED],
        env={**os.environ, "ROSSIO_KILL_AT": at},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == [str(number) for number in range(passed)]
    assert done.returncode == (0 if passed == 5 else -signal.SIGKILL)


async def test_a_loop_that_dies_is_logged_and_the_process_is_not_ready(capsys):
    async def loop():
        raise ZeroDivisionError

    died = background.keep("watch", loop())
    await asyncio.wait([died])
    assert not health.ready()
    assert "watch" in capsys.readouterr().err


async def test_a_loop_that_its_owner_ends_is_gone_and_well():
    ended = []

    async def loop():
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    watch = background.keep("watch", loop())
    await asyncio.sleep(0)
    await background.end(watch, None)
    assert ended == [True]
    assert health.ready()
