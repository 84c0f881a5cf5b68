"""`python -m tests.cluster.ci`: the part of `.ci/run` that tries the suite on a real cluster, from nothing.

Each step has a limit in time, and all together have one: what hangs is ended and named. The last line is the verdict.
The exit code is 1 when the images, the charts or the tests have failed, and 0 else: also where this machine
cannot carry a cluster, or others' sources could not be fetched and built in time. Then the verdict says so.
With `--insist`, as `make test-cluster` has it, nothing is limited or tried twice, and what was not tried has failed.
"""

import argparse
import contextlib
import dataclasses
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster import machine
from tests.cluster.node import fresh

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / ".rossio" / "cluster"
# All of it: the tests of `.ci/run` and what it verifies need the rest of its time.
MOST_MINUTES: Final = 40.0
_TERM_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Step:
    """A command of the way to the verdict."""

    name: str
    command: Sequence[str | Path]
    minutes: float
    tries: int = 1
    ours: bool = True
    """Whether it fails by what is in this repository; else the cluster was not tried."""


_MAKE: Final = ("make", "--no-print-directory")
_BINARIES: Final = (sys.executable, "-m", "tests.cluster.binaries")
_PYTEST: Final = (sys.executable, "-m", "pytest", "-p", "no:xdist", "-x", "-v", "--timeout", "900", "tests/cluster")
STEPS: Final = (
    Step("Debian's packages", (*_BINARIES, "debian"), 6, tries=3, ours=False),
    Step("the kernel's network", (sys.executable, "-m", "tests.cluster.machine"), 1, ours=False),
    Step("sources", (*_BINARIES, "sources"), 6, tries=3, ours=False),
    Step("programs", (*_BINARIES, "programs"), 25, tries=2, ours=False),
    Step(
        "a cluster by itself",
        (sys.executable, "-m", "tests.cluster", "kubectl", "get", "nodes"),
        6,
        tries=2,
        ours=False,
    ),
    Step("images", (*_MAKE, "images"), 12, tries=2),
    Step("charts", (*_MAKE, "charts"), 3),
    Step("tests", _PYTEST, 20, tries=2),
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a step ended: `code` is None when its time was over."""

    code: int | None
    seconds: float


def main(steps: Sequence[Step] = STEPS, most_minutes: float = MOST_MINUTES, *, insist: bool = False) -> int:
    if missing := machine.lacks():
        return verdict(f"not tried, this machine lacks {'; '.join(missing)}", failed=insist)
    began = time.monotonic()
    took: list[str] = []
    for step in steps:
        ended = tried(step, began + most_minutes * 60)
        took.append(f"{step.name} {ended.seconds / 60:.1f}")
        if ended.code != 0:
            fresh(FOLDER)  # what a step that was ended has left running
            why = _why(step, ended, most_minutes, took)
            return verdict(why, failed=insist or (step.ours and not _cut(step, ended)))
    fresh(FOLDER)
    return verdict(f"passed in {(time.monotonic() - began) / 60:.1f} minutes ({', '.join(took)})", failed=False)


def tried(step: Step, until: float) -> Ended:
    """Runs a step; again when it fails, as often as it may and time allows."""
    began = time.monotonic()
    code: int | None = None
    for attempt in range(1, step.tries + 1):
        room = min(step.minutes * 60, until - time.monotonic())
        if room <= 0:
            break
        print(f"cluster: {step.name}{_within(room)}", flush=True)
        ended = run(step.command, room)
        if ended is None:
            break  # no second try at what hangs, and what a first one has said stands
        code = ended
        if code == 0:
            break
        if attempt < step.tries:
            print(f"cluster: {step.name} did not succeed, try {attempt} of {step.tries}", flush=True)
    return Ended(code, time.monotonic() - began)


def run(command: Sequence[str | Path], seconds: float) -> int | None:
    """Runs a command; it and all that it has started are asked to end, then ended, when its time is over.

    Returns:
        Its exit code, None when its time was over.
    """
    environment = {**os.environ, "ROSSIO_CLUSTER": "1"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            return process.wait(None if math.isinf(seconds) else seconds)
        except subprocess.TimeoutExpired:
            for wish in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(subprocess.TimeoutExpired, ProcessLookupError):
                    os.killpg(process.pid, wish)
                    process.wait(_TERM_SECONDS)
            return None


def _within(seconds: float) -> str:
    return "" if math.isinf(seconds) else f", within {seconds / 60:.0f} minutes"


def _cut(step: Step, ended: Ended) -> bool:
    """Whether it was ended although its own time was not over: earlier steps took too much of all."""
    return ended.code is None and ended.seconds < step.minutes * 60


def _why(step: Step, ended: Ended, most_minutes: float, took: Sequence[str]) -> str:
    minutes = f"minutes: {', '.join(took)}"
    if _cut(step, ended):
        return f"not tried to its end, {most_minutes:g} minutes were over in the step {step.name} ({minutes})"
    how = f"was not done in {step.minutes:g} minutes" if ended.code is None else f"ended with code {ended.code}"
    return f"{'FAILED' if step.ours else 'not tried'}, the step {step.name} {how} ({minutes})"


def verdict(what: str, *, failed: bool) -> int:
    print(f"cluster: {what}", flush=True)
    return int(failed)


def patient(steps: Sequence[Step]) -> list[Step]:
    """The steps without a limit, each once."""
    return [dataclasses.replace(step, minutes=math.inf, tries=1) for step in steps]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--insist", action="store_true", help="no limits; what was not tried has failed")
    insist = parser.parse_args().insist
    sys.exit(main(patient(STEPS), math.inf, insist=True) if insist else main())
