"""A notice to many at once: one item with a bitmap, and nothing written per reader."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from directory_view import Bitmap

from notification.domain.vocabulary import Topic

_MARK: Final = ".all"


def broadcast_id(item_id: str) -> str:
    """The id of a broadcast, made from a fresh one of an item: it sorts among items and tells itself apart."""
    return item_id + _MARK


def is_broadcast(item_id: str) -> bool:
    return item_id.endswith(_MARK)


@dataclass(frozen=True, slots=True)
class Broadcast:
    """One item in the inboxes of all whose number is in `people`.

    `key` is natural and unique: the thing that is told. Ids made later sort later.
    """

    broadcast_id: str
    key: str
    topic: Topic
    entity_id: str
    titles: Mapping[str, str]
    subject_id: str
    at: datetime
    kept_until: datetime
    people: Bitmap
    withdrawn: bool = False


class Broadcasts:
    """The live broadcasts in memory, in the order of their ids."""

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._held: dict[str, Broadcast] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def put(self, broadcast: Broadcast) -> None:
        """Takes one in, or out when it was withdrawn."""
        if broadcast.withdrawn:
            self._drop(broadcast.broadcast_id)
            return
        if broadcast.broadcast_id not in self._held:
            insort(self._ids, broadcast.broadcast_id)
        self._held[broadcast.broadcast_id] = broadcast

    def _drop(self, item_id: str) -> None:
        if self._held.pop(item_id, None) is not None:
            del self._ids[bisect_left(self._ids, item_id)]

    def get(self, item_id: str) -> Broadcast | None:
        return self._held.get(item_id)

    def before(self, number: int, item_id: str, now: datetime) -> Iterator[Broadcast]:
        """Those for the person with this number, newest first, below the id; an empty id: all."""
        end = bisect_left(self._ids, item_id) if item_id else len(self._ids)
        for index in range(end - 1, -1, -1):
            held = self._held[self._ids[index]]
            if number in held.people and held.kept_until > now:
                yield held

    def after(self, number: int, item_id: str, now: datetime) -> Iterator[Broadcast]:
        """Those for the person with this number, oldest first, above the id."""
        for index in range(bisect_right(self._ids, item_id), len(self._ids)):
            held = self._held[self._ids[index]]
            if number in held.people and held.kept_until > now:
                yield held
