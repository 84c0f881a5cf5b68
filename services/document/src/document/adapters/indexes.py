"""The indexes of this process, in folders `<format>/<entity>.<epoch>`: what has another format, or is not whole,
goes.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

import telemetry
from errors import NotFound

from document.adapters.index import TantivyIndex

log = telemetry.logger(__name__)

FORMAT: Final = 2
"""Goes up when words are taken apart or sealed in another way, or a field is added."""
_MAKING: Final = ".making"
WRITERS: Final = 2
"""How many indexes are written at once: each holds threads and buffers."""
OPEN: Final = 8
"""How many are held open at once, with the terms of their words that are remembered."""

DerivedKey = Callable[[str, str], Awaitable[bytes]]


class LocalIndexes:
    """The port `Indexes`; `derived_key` gives the key of an entity for a purpose."""

    def __init__(self, folder: Path, derived_key: DerivedKey) -> None:
        self._folder = folder / str(FORMAT)
        self._derived_key = derived_key
        self._answering: dict[str, TantivyIndex] = {}
        self._making: dict[str, tuple[int, TantivyIndex]] = {}
        self._epochs: dict[str, int] = {}
        if folder.exists():
            for strange in (path for path in folder.iterdir() if path != self._folder):
                shutil.rmtree(strange, ignore_errors=True)
        for path in sorted(self._folder.glob("*")):
            self._take_up(path)

    def entities(self) -> Sequence[str]:
        return list(self._answering)

    async def answering(self, entity_id: str) -> TantivyIndex | None:
        index = self._answering.get(entity_id)
        if index is not None:
            self._shut_others(entity_id)
        return index

    async def written(self, entity_id: str) -> Sequence[TantivyIndex]:
        if entity_id not in self._answering:
            self._answering[entity_id] = await self._new(entity_id, f"{entity_id}.{self._epochs.get(entity_id, 0)}")
        making = self._making.get(entity_id)
        self._shut_others(entity_id)
        await self._rest_others(entity_id)
        return [self._answering[entity_id], *([making[1]] if making else [])]

    async def begin(self, entity_id: str, epoch: int) -> TantivyIndex | None:
        if self._epochs.get(entity_id, 0) >= epoch:
            return None
        if entity_id not in self._answering:
            self._epochs[entity_id] = epoch
            return None
        index = await self._new(entity_id, f"{entity_id}.{epoch}{_MAKING}")
        self._making[entity_id] = epoch, index
        return index

    async def finish(self, entity_id: str) -> None:
        made = self._making.pop(entity_id, None)
        if made is None:
            return  # its keys were destroyed meanwhile
        epoch, index = made
        await index.rest()
        whole = index.folder.with_name(f"{entity_id}.{epoch}")
        await asyncio.to_thread(index.folder.rename, whole)
        old = self._answering.get(entity_id)
        self._answering[entity_id] = self._opened(entity_id, whole)
        self._epochs[entity_id] = epoch
        if old is not None:
            await old.remove()

    async def drop(self, entity_id: str) -> None:
        making = self._making.pop(entity_id, None)
        for index in (self._answering.pop(entity_id, None), making[1] if making else None):
            if index is not None:
                await index.remove()

    async def drop_unreadable(self) -> Sequence[str]:
        dropped = []
        for entity_id, index in list(self._answering.items()):
            try:
                await index.check_key()
            except NotFound:
                await self.drop(entity_id)
                dropped.append(entity_id)
        return dropped

    async def close(self) -> None:
        for index in [*self._answering.values(), *(index for _, index in self._making.values())]:
            await index.rest()

    def _take_up(self, path: Path) -> None:
        """An index that a process before this one left: whole ones are gone on with, of several the newest."""
        entity_id, _, epoch = path.name.rpartition(".")
        if not epoch.isdigit():
            shutil.rmtree(path, ignore_errors=True)
            return
        before = self._answering.get(entity_id)
        older, newer = sorted([int(epoch), self._epochs.get(entity_id, -1)])
        try:
            opened = self._opened(entity_id, path)
        except ValueError as error:  # what tantivy raises of a folder that it cannot read
            log.warning("an index cannot be read and is made anew", error=type(error).__name__)
            shutil.rmtree(path, ignore_errors=True)
            return
        if before is None or int(epoch) == newer:
            self._answering[entity_id], self._epochs[entity_id] = opened, int(epoch)
        self._shut_others(entity_id)
        if before is not None and older >= 0:
            shutil.rmtree(self._folder / f"{entity_id}.{older}", ignore_errors=True)

    async def _new(self, entity_id: str, name: str) -> TantivyIndex:
        await self._derived_key(entity_id, _PURPOSE)
        path = self._folder / name
        await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
        return self._opened(entity_id, path)

    def _opened(self, entity_id: str, path: Path) -> TantivyIndex:
        return TantivyIndex(path, lambda: self._derived_key(entity_id, _PURPOSE), entity_id)

    def _shut_others(self, entity_id: str) -> None:
        """So that few hold memory: those that have been used longest ago are shut."""
        self._answering[entity_id] = self._answering.pop(entity_id)
        opened = [index for index in self._answering.values() if index.open]
        for index in opened[:-OPEN]:
            index.shut()

    async def _rest_others(self, entity_id: str) -> None:
        """The same of writers, but for the one that is to write now."""
        writing = [index for index in self._answering.values() if index.writes and index.entity_id != entity_id]
        for index in writing[: 1 - WRITERS]:
            await index.rest()


_PURPOSE: Final = "search"
