"""Order per key: the lanes of a partition, and the queue of those whose head may be handled."""

from collections import deque

from messaging.settle.item import Handler, Item
from messaging.settle.watermark import Watermark


class Lane:
    """The unsettled records of one key, in order. It is in one worker's hands, or ready, or asleep."""

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
        found: list[Item] = []
        for item in self.items:
            if len(found) == most or item.handler is not head.handler or item.alone is not head.alone:
                break
            found.append(item)
        return found

    def settle(self, count: int) -> None:
        """The first `count` records are settled."""
        items = self.items
        for _ in range(count):
            items.popleft().settled = True
        self.partition.watermark.advance()
        if not items:
            del self.partition.lanes[self.key]


class Partition:
    """One assigned partition, from its assignment to its revocation."""

    __slots__ = ("end_at_start", "lanes", "revoked", "watermark")

    def __init__(self, end_at_start: int | None = None) -> None:
        """`end_at_start` is the offset behind the last record that was there when the partition was assigned."""
        self.end_at_start = end_at_start
        self.watermark = Watermark()
        self.lanes: dict[bytes | int, Lane] = {}
        self.revoked = False

    def add(self, item: Item) -> Lane | None:
        """Puts a record into its lane; returns the lane when it is a new one, which has to be made ready."""
        self.watermark.take(item)
        record = item.record
        item.fresh = self.end_at_start is not None and record.offset >= self.end_at_start
        # Records without a key have no order to keep: each is a lane of its own.
        key = record.offset if record.key is None else record.key
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


Heads = list[tuple[Lane, int]]
"""Lanes, and how many of the records at the head of each."""


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

    def take(self) -> tuple[Handler | None, list[Item], Heads]:
        """The handler of one call, its records, and the lanes whose heads they are. There has to be a lane."""
        turn, queue = next(iter(self._queues.items()))
        handler, alone = turn
        lane = queue.popleft()
        room = 1 if alone or handler is None else self._batch
        items = lane.prefix(room)
        lanes = [(lane, len(items))]
        while queue and len(items) < room:
            lane = queue.popleft()
            prefix = lane.prefix(room - len(items))
            items += prefix
            lanes.append((lane, len(prefix)))
        self._lanes -= len(lanes)
        if not queue:
            del self._queues[turn]
        elif len(self._queues) > 1:
            self._queues[turn] = self._queues.pop(turn)
        return handler, items, lanes

    def clear(self) -> None:
        self._queues.clear()
        self._lanes = 0
