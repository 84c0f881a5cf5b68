"""Starts the program for each file: what one file does to it concerns no other, nor the service."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import telemetry
from errors import Transient

from document.domain.extraction import Outcome, Taken

log = telemetry.logger(__name__)

_PROGRAM: Final = "document.adapters.extraction.program"
_OUTCOMES: Final = {outcome.value.encode(): outcome for outcome in Outcome}


@dataclass(frozen=True, slots=True)
class Limits:
    """Memory in bytes, CPU time and the deadline in seconds, text in characters."""

    memory: int = 512 << 20
    cpu_seconds: int = 20
    deadline: float = 60
    most_text: int = 1 << 20


class ProcessExtractor:
    """The port `Extractor`. The process has no environment but its path, and the content is on no disk."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    async def extract(self, media_type: str, chunks: AsyncIterator[bytes]) -> Taken:
        """What the chunks raise is raised; whatever the program does is an outcome.

        Raises:
            Transient: NO_PROCESS, the machine has none to give now.
        """
        process = await self._started()
        try:
            async with asyncio.timeout(self._limits.deadline):
                feeding = asyncio.create_task(self._feed(process, media_type, chunks))
                try:
                    answer = await self._answer(process)
                    await feeding
                finally:
                    feeding.cancel()
                code = await process.wait()
        except TimeoutError:
            return Taken(Outcome.TIMEOUT)
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        return self._taken(code, answer)

    async def _started(self) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-B", "-P", "-S", "-m", _PROGRAM,
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
                env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "LC_ALL": "C.UTF-8"},
            )  # fmt: skip
        except OSError as error:
            raise Transient("no process can be started", reason="NO_PROCESS") from error

    async def _feed(self, process: asyncio.subprocess.Process, media_type: str, chunks: AsyncIterator[bytes]) -> None:
        limits = self._limits
        request = {
            "media_type": media_type,
            "memory": limits.memory,
            "cpu_seconds": limits.cpu_seconds,
            "most": limits.most_text,
        }
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            async for chunk in chunks:
                process.stdin.write(chunk)
                await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            return  # it has ended, and how is known by its answer
        finally:
            process.stdin.close()

    async def _answer(self, process: asyncio.subprocess.Process) -> bytes:
        """No more of it than there may be."""
        assert process.stdout is not None
        answer = bytearray()
        while piece := await process.stdout.read(1 << 16):
            answer += piece
            if len(answer) > 4 * self._limits.most_text + 64:
                process.kill()
                return b""
        return bytes(answer)

    def _taken(self, code: int, answer: bytes) -> Taken:
        outcome, _, text = answer.partition(b"\n")
        if code == -signal.SIGXCPU:
            return Taken(Outcome.TIMEOUT)
        if code != 0 or outcome not in _OUTCOMES:
            log.warning("a text could not be taken out", code=code)
            return Taken(Outcome.CRASHED)
        return Taken(_OUTCOMES[outcome], text.decode(errors="replace"))
