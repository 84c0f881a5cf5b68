"""Programs that run beside this one: started, asked whether they are ready, stopped by their own process id.

A program is never stopped by name, and never outlives the process that started it where the operating
system can see to that (`setpriv --pdeathsig`, Linux): the leash hangs on the thread that starts it, so start
programs from a thread that lives as long as they shall.
"""

import asyncio
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path

from errors import RossioError

LOOPBACK = "127.0.0.1"
# Below the ports that the kernel hands to outgoing connections: a killed program finds its port free again.
_PORTS = range(20_000, 32_000)
_POLL_SECONDS = 0.05
# Given out by this process, and perhaps not yet listened on.
_given: set[int] = set()


class Missing(RossioError):
    """This machine lacks something; the message is one line that says what, and what to do."""

    default_reason = "MISSING"


class Failed(RossioError):
    """A program ended or did not become ready; the message holds the last lines of its log."""

    default_reason = "PROGRAM_FAILED"


def free_port() -> int:
    """A loopback port on which nothing listens, outside the range of outgoing connections."""
    for port in random.SystemRandom().sample(_PORTS, 200):
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port
    raise Missing("no free TCP port between 20000 and 32000: stop what holds them")


def listens(port: int) -> bool:
    """Whether something accepts connections on the loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


class Program(ABC):
    """One process with a log file, which can be started again on the same folder and ports."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """The command line; called at each start, and may prepare the folder."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether the program does its work now; quick, and asked many times."""

    def environment(self) -> Mapping[str, str]:
        """What is set beside this process's own environment."""
        return {}

    @property
    def pid(self) -> int | None:
        """The process id, or None while the program does not run."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def exit_code(self) -> int | None:
        """How the program ended, or None when it runs or was never started."""
        return None if self._process is None else self._process.poll()

    def launch(self) -> None:
        """Starts the process and does not wait until it is ready.

        Raises:
            Missing: something that it needs is not on this machine.
        """
        assert self.pid is None, f"{self.name} runs already"
        self.folder.mkdir(parents=True, exist_ok=True)
        leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        command = [*leash, *self.command()]
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment()},
                start_new_session=True,
            )

    def wait(self, seconds: float = 60) -> None:
        """Polls until the program is ready.

        Raises:
            Failed: it ended, or was not ready in time.
        """
        deadline = time.monotonic() + seconds
        while not self.ready():
            if self.exit_code is not None:
                raise self.failure(f"ended with code {self.exit_code}")
            if time.monotonic() > deadline:
                raise self.failure(f"was not ready in {seconds:g} s")
            time.sleep(_POLL_SECONDS)

    def start(self, seconds: float = 60) -> None:
        """Starts the process and polls until it is ready; a program that does not get there is stopped."""
        self.launch()
        try:
            self.wait(seconds)
        except BaseException:
            self.kill()
            raise

    def stop(self, seconds: float = 30) -> None:
        """Asks the program to end, and kills it when it has not after so many seconds."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        self.kill()

    def kill(self) -> None:
        """Ends the program as a power cut would (SIGKILL)."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def killed(self, seconds: float = 90) -> None:
        """Returns when the program has ended by SIGKILL, as it does at a kill point.

        Raises:
            Failed: it ended otherwise, or not in time.
        """
        deadline = time.monotonic() + seconds
        while self.exit_code is None:
            if time.monotonic() > deadline:
                raise self.failure(f"was not killed in {seconds:g} s")
            await asyncio.sleep(_POLL_SECONDS)
        if self.exit_code != -signal.SIGKILL:
            raise self.failure(f"ended with code {self.exit_code}")

    def pause(self) -> None:
        """Stops the program's clock (SIGSTOP): it holds its connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Lets a paused program go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def output(self) -> str:
        """What the program has written since it was last started."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def failure(self, what: str) -> Failed:
        """An error that says what happened and shows the end of the log."""
        last = "\n".join(self.output().splitlines()[-15:])
        return Failed(f"{self.name} {what}; the end of {self.log}:\n{last}", program=self.name)
