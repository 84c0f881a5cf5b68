"""What readers did, in MongoDB: written in groups, held as bitmaps."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import messaging
import telemetry
from directory_view import Bitmap
from errors import RossioError, Transient
from store import Collection, Document, Index, Insert

from news.adapters import wire
from news.adapters.store import OVERLAP
from news.application.ports import Mark, MarkKind, Taken

_log = telemetry.logger(__name__)

MARK_INDEXES: Final = (Index(["post_id", "text_version", "kind"]), Index(["at"]))
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
# What one write takes in: its event stays far below the 1 MiB of a record.
_MOST: Final = 2000

Key = tuple[str, str, int]


@dataclass(slots=True)
class _Waiting:
    mark: Mark
    written: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class GroupedMarks:
    """One document for all marks of a version that came in while the write before was under way, with their fact.

    So what a mark costs falls as they come faster. A mark is a bit: two processes that take in the same one
    within a moment write it twice, and it holds once all the same, here and for whoever reads the fact.
    """

    def __init__(self, marks: Collection, now: Callable[[], datetime]) -> None:
        self._marks = marks
        self._now = now
        self._known: defaultdict[Key, Bitmap] = defaultdict(Bitmap)
        self._last = _EPOCH
        self._waiting: list[_Waiting] = []
        self._come = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # Life: a part of the process

    async def start(self) -> None:
        await self.refresh()
        self._task = asyncio.create_task(self._write_all(), name="marks")

    async def stop(self) -> None:
        """After the calls that wait for a write have ended."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # The port

    async def add(self, mark: Mark) -> bool:
        if mark.number in self._known.get(_key(mark), _NOBODY):
            return False
        waiting = _Waiting(mark)
        self._waiting.append(waiting)
        self._come.set()
        await waiting.written
        return True

    def held(self, kind: MarkKind, post_id: str, text_version: int) -> Bitmap:
        return self._known.get((kind.value, post_id, text_version), _NOBODY)

    async def numbers(self, kind: MarkKind, post_id: str, text_version: int) -> Bitmap:
        await self.refresh()
        return self.held(kind, post_id, text_version)

    async def taken(self, kind: MarkKind, post_id: str, text_version: int) -> AsyncIterator[Taken]:
        query = {"post_id": post_id, "text_version": text_version, "kind": kind.value}
        async for document in self._marks.find(query):
            delegates = dict(document["delegates"])
            for number in document["numbers"]:
                yield Taken(number, document["at"], delegates.get(number, ""))

    async def refresh(self) -> None:
        query = {"at": {"$gt": self._last - OVERLAP if self._last > _EPOCH else _EPOCH}}
        fields = {"post_id": True, "text_version": True, "kind": True, "numbers": True, "at": True}
        async for document in self._marks.find(query, projection=fields):
            key = (document["kind"], document["post_id"], document["text_version"])
            self._known[key].update(document["numbers"])
            self._last = max(self._last, document["at"])

    # Inside

    async def _write_all(self) -> None:
        while True:
            await self._come.wait()
            self._come.clear()
            while self._waiting:
                group, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                await self._write(group)

    async def _write(self, group: Sequence[_Waiting]) -> None:
        groups: defaultdict[Key, dict[int, Mark]] = defaultdict(dict)
        for each in group:
            groups[_key(each.mark)].setdefault(each.mark.number, each.mark)
        at = self._now()
        telemetry.points.reached("news.marks.grouped")
        try:
            await self._marks.bulk([_insert(list(marks.values()), at) for marks in groups.values()])
        except RossioError as error:
            _log.warning("marks are not written", reason=error.reason, marks=len(group))
            _settle(group, error)
            return
        except BaseException:
            _settle(group, Transient("the process ends", reason="STOPPING"))
            raise
        telemetry.points.reached("news.marks.written")
        for key, marks in groups.items():
            self._known[key].update(marks)
        _settle(group, None)


_NOBODY: Final = Bitmap()


def _settle(group: Sequence[_Waiting], error: RossioError | None) -> None:
    for each in group:
        if each.written.done():
            continue  # the call has gone away
        if error is None:
            each.written.set_result(None)
        else:
            each.written.set_exception(error)


def _key(mark: Mark) -> Key:
    return mark.kind.value, mark.post_id, mark.text_version


def _insert(marks: Sequence[Mark], at: datetime) -> Insert:
    """Acknowledgements are facts for others; what somebody reads is nobody else's matter."""
    first = marks[0]
    document: Document = {
        "_id": messaging.new_id(),
        "post_id": first.post_id,
        "text_version": first.text_version,
        "kind": first.kind.value,
        "numbers": [mark.number for mark in marks],
        "delegates": [[mark.number, mark.delegate_id] for mark in marks if mark.delegate_id],
        "at": at,
    }
    return Insert(document, [wire.acknowledged(marks, at)] if first.kind is MarkKind.ACKNOWLEDGED else ())
