"""What of a partition may be committed."""

from collections import deque

from messaging.settle.item import Item


class Watermark:
    """The records of one partition in the order of their offsets, and how far all are settled."""

    __slots__ = ("_items", "committed", "position")

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self.position: int | None = None
        """The offset behind the settled prefix: what may be committed. None before anything is settled."""
        self.committed: int | None = None

    def __len__(self) -> int:
        """Records from the position on: unsettled ones, and settled ones behind these."""
        return len(self._items)

    @property
    def next(self) -> int | None:
        """The first offset that is not settled, as far as anything is known of the partition."""
        return self._items[0].record.offset if self._items else self.position

    @property
    def oldest(self) -> Item | None:
        """The first record that is not settled."""
        return self._items[0] if self._items else None

    def take(self, item: Item) -> None:
        self._items.append(item)

    def advance(self) -> None:
        """Moves the position over what is settled."""
        items = self._items
        while items and items[0].settled:
            self.position = items.popleft().record.offset + 1

    def settled_ahead(self) -> frozenset[tuple[int, int]]:
        """Offset and timestamp of what is settled and cannot be committed yet."""
        return frozenset((item.record.offset, item.record.timestamp) for item in self._items if item.settled)
