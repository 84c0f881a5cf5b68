"""What keeps the index of this process: it follows the store, and has texts taken out that are not there yet."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import datetime
from typing import Any, Final, Protocol

import telemetry
from errors import NotFound, RossioError
from telemetry.background import end, keep

from document.application.extract_text import ExtractText
from document.application.follow_store import FollowStore
from document.application.index_nodes import IndexNodes

log = telemetry.logger(__name__)
_unextracted = telemetry.names.DOCUMENT_UNEXTRACTED.bind()

_LOOK_SECONDS: Final = 0.5
_GUARD_SECONDS: Final = 2.0
_AGAIN_SECONDS: Final = 1.0


class Closing(Protocol):
    async def close(self) -> None: ...


class Indexing:
    """Tasks that each go on after whatever failed; `ready` once the indexes hold all that is in the store."""

    def __init__(
        self,
        follow: FollowStore,
        index_nodes: IndexNodes,
        extract: ExtractText,
        indexes: Closing,
        now: Callable[[], datetime],
        *,
        processes: int,
        reconcile_seconds: float,
    ) -> None:
        self._follow = follow
        self._index_nodes = index_nodes
        self._extract = extract
        self._indexes = indexes
        self._now = now
        self._processes = processes
        self._reconcile_seconds = reconcile_seconds
        self._whole = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def ready(self) -> bool:
        return self._whole.is_set()

    async def start(self) -> None:
        extracting = [self._keep_extracting() for _ in range(self._processes)]
        work: list[Coroutine[Any, Any, None]] = [
            self._again(self._compare, 0, "compare the index"),
            self._again(self._look, _LOOK_SECONDS, "follow the store"),
            self._again(self._guard, _GUARD_SECONDS, "guard the index"),
            *extracting,
        ]
        self._tasks = [keep(f"index.{number}", each) for number, each in enumerate(work)]

    async def stop(self) -> None:
        await end(*self._tasks)
        await self._indexes.close()

    async def _compare(self) -> None:
        """Now, and not again before a while has passed, or files were left out of what waits for its text."""
        short = self._index_nodes.await_text.short
        short.clear()
        await self._follow.whole(self._now())
        self._whole.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._reconcile_seconds):
                await short.wait()

    async def _look(self) -> None:
        await self._whole.wait()
        await self._follow.look(self._now())

    async def _guard(self) -> None:
        await self._whole.wait()
        for entity_id in await self._follow.guard():
            log.info("an index was dropped with the keys of its entity", entity=entity_id)
        _unextracted.set(len(self._index_nodes.await_text))

    async def _keep_extracting(self) -> None:
        waiting = self._index_nodes.await_text
        while True:
            await waiting.changed.wait()
            taken = waiting.take()
            if taken is None:
                continue
            _, nodes = taken
            try:
                done = await self._extract(nodes[0])
                if done:
                    await self._index_nodes.again([node.node_id for node in nodes])
            except NotFound:
                continue  # the content has gone, or its keys have
            except RossioError as error:
                log.warning("a text could not be taken out", reason=error.reason)
                done = False
            if not done:
                await asyncio.sleep(_AGAIN_SECONDS)
                waiting.add(nodes)

    async def _again(self, work: Callable[[], Awaitable[None]], every_seconds: float, what: str) -> None:
        while True:
            try:
                await work()
            except RossioError as error:
                log.warning("the index could not be kept", work=what, reason=error.reason)
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                await asyncio.sleep(every_seconds)
