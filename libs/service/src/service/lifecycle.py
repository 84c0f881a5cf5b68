"""How a process starts, waits for what it needs, and ends without losing work.

Started in this order, ended in the reverse one: what work rests on (store, producer, relay, views), one
after the other as it was added; all servers; all consumers. So at the end the process first says that it is
not ready, then takes no further records and finishes those in hand, then calls, then publishes what
they recorded, and telemetry goes last. FastStream's application (messaging.application) heeds the
signals and enters and leaves this life.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Protocol

import telemetry
from errors import Transient

log = telemetry.logger(__name__)

_FIRST_WAIT: Final = 0.1
_LONGEST_WAIT: Final = 3.0
_LEAST_FOR_A_STOP: Final = 1.0


class Component(Protocol):
    """A part of a process with a beginning and an end.

    `start` raises `Transient` when what it needs is not there yet; it is called again then. `stop` ends
    the work in hand, and can be called after a start that failed.
    """

    async def start(self) -> Any: ...
    async def stop(self) -> Any: ...


class Stage(IntEnum):
    """When a component starts; the last to start is the first to stop."""

    RESOURCE = 0
    """What work rests on."""
    SERVER = 1
    """What takes calls."""
    CONSUMER = 2
    """What takes work by itself."""


@dataclass(frozen=True, slots=True)
class _Part:
    name: str
    component: Component
    stage: Stage


class Lifecycle:
    """The components of a process, and the one way through their lives."""

    def __init__(self, *, drain_seconds: float, lame_duck_seconds: float = 0.0) -> None:
        self._drain_seconds = drain_seconds
        self._lame_duck_seconds = lame_duck_seconds
        self._parts: list[_Part] = []
        self._trouble: str | None = "starting"
        self._waits: dict[str, str] = {}
        self._deadline: float | None = None
        telemetry.health.check("service", lambda: "; ".join(self._waits.values()) or self._trouble)

    def add(self, component: Component, name: str, stage: Stage = Stage.RESOURCE) -> None:
        self._parts.append(_Part(name, component, stage))

    @asynccontextmanager
    async def lived(self, end: Callable[[], None]) -> AsyncIterator[None]:
        """A life: entering begins the start, which waits in the background, and leaving ends all that started.

        `end` is called when a component cannot start for another reason than `Transient`; the leaving
        then raises that.
        """
        async with AsyncExitStack() as started:
            starting = asyncio.create_task(self._start_all(started), name="start")
            starting.add_done_callback(lambda _: self._started(starting, end))
            yield
            self._waits.clear()
            if self._trouble is None:
                self._trouble = "draining"
                log.info("draining")
                await asyncio.sleep(self._lame_duck_seconds)
            starting.cancel()
            with suppress(asyncio.CancelledError):
                await starting
        log.info("stopped")

    def _started(self, starting: asyncio.Task[None], end: Callable[[], None]) -> None:
        if starting.cancelled() or starting.exception() is not None:
            end()
        else:
            self._trouble = None
            log.info("ready")

    async def _start_all(self, started: AsyncExitStack) -> None:
        for parts in self._rounds():
            started.push_async_callback(self._stop_together, parts)
            await self._start_together(parts)

    def _rounds(self) -> list[list[_Part]]:
        """What starts, and stops, together: a resource by itself, the servers, the consumers."""
        by_stage = {stage: [part for part in self._parts if part.stage is stage] for stage in Stage}
        resources = by_stage.pop(Stage.RESOURCE)
        return [*([part] for part in resources), *by_stage.values()]

    async def _start_together(self, parts: list[_Part]) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for part in parts:
                    group.create_task(self._start(part))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _start(self, part: _Part) -> None:
        """Starts a component as often as it takes, and says for each new reason what it waits for."""
        wait, said = _FIRST_WAIT, ""
        while True:
            try:
                await part.component.start()
            except Transient as error:
                self._waits[part.name] = f"{part.name} waits: {error}"
                if said != error.reason:
                    said = error.reason
                    log.warning("waits for a dependency", component=part.name, reason=error.reason, why=str(error))
            else:
                self._waits.pop(part.name, None)
                log.info("started", component=part.name)
                return
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT)

    async def _stop_together(self, parts: list[_Part]) -> None:
        ended = await asyncio.gather(*(self._stop(part) for part in parts), return_exceptions=True)
        for error in filter(None, ended):
            raise error

    async def _stop(self, part: _Part) -> None:
        """Stops a component before the deadline; one that hangs does not keep the others from theirs."""
        now = asyncio.get_running_loop().time()
        self._deadline = self._deadline or now + self._drain_seconds
        try:
            async with asyncio.timeout(max(self._deadline - now, _LEAST_FOR_A_STOP)):
                await part.component.stop()
        except TimeoutError:
            log.exception("not drained in time", component=part.name)
