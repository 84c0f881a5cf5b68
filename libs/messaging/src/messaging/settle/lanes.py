"""Order per key: the lanes of a partition, and the queue of those whose head may be handled."""

from collections import deque
from typing import NamedTuple

from aiokafka import ConsumerRecord

from messaging.settle.watermark import Handler, Item, Watermark


class Lane:
    """The unsettled records of one key, in order. It is either in one worker's hands, or ready, or asleep."""

    __slots__ = ("items", "key", "partition")

    def __init__(self, partition: "Partition", key: bytes | int) -> None:
        self.partition = partition
        self.key = key
        self.items: deque[Item] = deque()

    def prefix(self, most: int) -> list[Item]:
        """The head, and what follows it and can share a call with it."""
        head = self.items[0]
        if most == 1 or len(self.items) == 1:
            return [head]
        found = []
        for item in self.items:
            if len(found) == most or item.handler is not head.handler or item.alone is not head.alone:
                break
            found.append(item)
        return found

    def settle(self, count: int) -> None:
        """The first `count` records are settled."""
        for _ in range(count):
            self.items.popleft().settled = True
        self.partition.watermark.advance()
        if not self.items:
            del self.partition.lanes[self.key]


class Partition:
    """One assigned partition, from its assignment to its revocation."""

    __slots__ = ("lanes", "revoked", "watermark")

    def __init__(self) -> None:
        self.watermark = Watermark()
        self.lanes: dict[bytes | int, Lane] = {}
        self.revoked = False

    def add(self, item: Item) -> Lane | None:
        """Puts a record into its lane; returns the lane when that was empty and so has to be made ready."""
        self.watermark.take(item)
        key = _lane_key(item.record)
        lane = self.lanes.get(key)
        if lane is not None:
            lane.items.append(item)
            return None
        lane = self.lanes[key] = Lane(self, key)
        lane.items.append(item)
        return lane

    def skip(self, item: Item) -> None:
        """Takes note of a record that is settled without work."""
        item.settled = True
        self.watermark.take(item)


class Batch(NamedTuple):
    """Heads of lanes for one call of one handler."""

    handler: Handler | None
    parts: list[tuple[Lane, list[Item]]]


class Ready:
    """Lanes whose head may be handled now. Those that can share a call stand in one queue; the queues take turns."""

    def __init__(self, batch: int) -> None:
        self._batch = batch
        self._queues: dict[tuple[Handler | None, bool], deque[Lane]] = {}
        self._lanes = 0

    def __len__(self) -> int:
        return self._lanes

    def put(self, lane: Lane) -> None:
        head = lane.items[0]
        queue = self._queues.get((head.handler, head.alone))
        if queue is None:
            queue = self._queues[head.handler, head.alone] = deque()
        queue.append(lane)
        self._lanes += 1

    def take(self) -> Batch:
        """The heads of as many lanes as one call takes. There has to be one."""
        turn = next(iter(self._queues))
        handler, alone = turn
        queue = self._queues.pop(turn)
        room = 1 if alone or handler is None else self._batch
        parts: list[tuple[Lane, list[Item]]] = []
        while room and queue:
            lane = queue.popleft()
            items = lane.prefix(room)
            room -= len(items)
            parts.append((lane, items))
        self._lanes -= len(parts)
        if queue:
            self._queues[turn] = queue
        return Batch(handler, parts)

    def clear(self) -> None:
        self._queues.clear()
        self._lanes = 0


def _lane_key(record: ConsumerRecord[bytes, bytes]) -> bytes | int:
    """Records without a key have no order to keep: each is a lane of its own."""
    return record.offset if record.key is None else record.key
