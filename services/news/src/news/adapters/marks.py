"""What readers did, in MongoDB: written in groups, held as bitmaps, folded into one document after a while."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import telemetry
from directory_view import Bitmap
from errors import Conflict, RossioError, Transient
from store import Collection, Delete, Document, Index
from telemetry.background import end, keep

from news.adapters import mark_documents
from news.adapters.mark_documents import KEY_FIELDS, PEOPLE_FIELDS, Key, folded_id, key_of
from news.adapters.store import OVERLAP
from news.application.ports import Mark, MarkKind, Taken

_log = telemetry.logger(__name__)

MARK_INDEXES: Final = (Index(["post_id", "text_version", "kind"]), Index(["at"]), Index(["loose"], sparse=True))
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
# What one write takes in: its event stays far below the 1 MiB of a record.
_MOST: Final = 2000
# How long a group waits for more to come with it: readers do not notice, and the store has a third of the writes.
_GATHER_SECONDS: Final = 0.01
# Documents that are folded in one go; the rest waits for the next.
_FOLDED_AT_ONCE: Final = 5000
# How often a reader looks again when the documents are folded under its eyes.
_LOOKS: Final = 5
_NOBODY: Final = Bitmap()


@dataclass(slots=True)
class _Waiting:
    mark: Mark
    written: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class GroupedMarks:
    """One document for all marks of a version that came in while the write before was under way, with their fact.

    So what a mark costs falls as they come faster. A mark is a bit: two processes that take in the same one
    within a moment write it twice, and it holds once all the same, here and for whoever reads the fact.
    """

    def __init__(
        self, marks: Collection, now: Callable[[], datetime], fold_after: timedelta = timedelta(minutes=10)
    ) -> None:
        self._marks = marks
        self._now = now
        self._fold_after = fold_after
        self._known: defaultdict[Key, Bitmap] = defaultdict(Bitmap)
        # What is known of these is not all that there is.
        self._dropped: set[Key] = set()
        self._last = _EPOCH
        self._waiting: list[_Waiting] = []
        self._come = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # Life: a part of the process

    async def start(self) -> None:
        await self.refresh()
        self._task = keep("marks", self._write_all())

    async def stop(self) -> None:
        """After the calls that wait for a write have ended."""
        await end(self._task)

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
        await self._recall((kind.value, post_id, text_version))
        return self.held(kind, post_id, text_version)

    async def taken(self, kind: MarkKind, post_id: str, text_version: int) -> AsyncIterator[Taken]:
        for each in await self._all((kind.value, post_id, text_version)):
            for taken in mark_documents.taken_of(each):
                yield taken

    async def refresh(self) -> None:
        query = {"at": {"$gt": self._last - OVERLAP if self._last > _EPOCH else _EPOCH}}
        async for document in self._marks.find(query, projection=PEOPLE_FIELDS):
            self._known[key_of(document)].update(mark_documents.people_of(document))
            self._last = max(self._last, document["at"])

    async def recall(self, post_id: str, text_version: int) -> None:
        for kind in MarkKind:
            await self._recall((kind.value, post_id, text_version))

    def keep(self, post_ids: Container[str]) -> None:
        for key in [each for each in self._known if each[1] not in post_ids]:
            self._dropped.add(key)
            del self._known[key]

    async def _recall(self, key: Key) -> None:
        if key in self._dropped:
            for document in await self._all(key, PEOPLE_FIELDS):
                self._known[key].update(mark_documents.people_of(document))
            self._dropped.discard(key)

    # Folding

    async def fold(self, at: datetime) -> None:
        """Puts what was written a while ago into one document for each version of a post.

        Any process may, also several at once: what is folded is written over the version that was read, and says
        the same when it is folded twice. Then the documents that it was made of go, if their facts are published.
        """
        old: defaultdict[Key, list[Any]] = defaultdict(list)
        query = {"loose": True, "at": {"$lt": at - self._fold_after}}
        fields = {**KEY_FIELDS, "outbox.id": True}
        async for document in self._marks.find(query, projection=fields, limit=_FOLDED_AT_ONCE):
            if not document.get("outbox"):
                old[key_of(document)].append(document["_id"])
        for key, ids in old.items():
            try:
                await self._fold(key, ids, at)
            except Conflict:
                continue  # another process was first

    async def _fold(self, key: Key, ids: Sequence[Any], at: datetime) -> None:
        target = folded_id(key)
        held = await self._marks.get(target)
        loose = [document async for document in self._marks.find({"_id": {"$in": ids}})]
        folded = mark_documents.folded(key, [held, *loose] if held else loose, at)
        if held is None:
            await self._marks.insert({"_id": target, **folded})
        else:
            await self._marks.update(target, {"$set": folded}, version=held["version"])
        telemetry.points.reached("news.marks.folded")
        await self._marks.bulk([Delete(each) for each in ids])

    async def _all(self, key: Key, fields: Mapping[str, Any] | None = None) -> list[Document]:
        """Every document of a key; those that are folded meanwhile stand in one that is read again."""
        kind, post_id, text_version = key
        query = {"post_id": post_id, "text_version": text_version, "kind": kind}
        for _ in range(_LOOKS):
            before = await self._folded_version(key)
            found = [document async for document in self._marks.find(query, projection=fields)]
            if before == await self._folded_version(key):
                return found
        raise Transient("the marks are being folded", reason="FOLDING")

    async def _folded_version(self, key: Key) -> int:
        found = await self._marks.get(folded_id(key), projection={"version": True})
        return found["version"] if found else 0

    # Inside

    async def _write_all(self) -> None:
        while True:
            await self._come.wait()
            self._come.clear()
            while self._waiting:
                await asyncio.sleep(_GATHER_SECONDS)
                group, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                await self._write(group)

    async def _write(self, group: Sequence[_Waiting]) -> None:
        groups: defaultdict[Key, dict[int, Mark]] = defaultdict(dict)
        for each in group:
            groups[_key(each.mark)].setdefault(each.mark.number, each.mark)
        at = self._now()
        telemetry.points.reached("news.marks.grouped")
        try:
            await self._marks.bulk([mark_documents.together(list(marks.values()), at) for marks in groups.values()])
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
