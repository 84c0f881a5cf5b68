"""Counts of readers that point at nobody."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

SMALL: Final = 10
"""A cell of fewer people says too much about each of them."""


@dataclass(frozen=True, slots=True)
class Count:
    """One cell of a table: how many people, and how many of them have read and acknowledged; None: not told."""

    value: str
    audience: int
    read: int | None
    acknowledged: int | None


def suppressed(cells: Sequence[Count]) -> list[Count]:
    """The cells of one table without the figures of small ones.

    Where one alone is small it could be had as the difference to the whole, so the smallest other one goes
    with it.
    """
    small = {cell.value for cell in cells if cell.audience < SMALL}
    if len(small) == 1 and len(cells) > 1:
        others = [cell for cell in cells if cell.value not in small]
        small.add(min(others, key=lambda cell: (cell.audience, cell.value)).value)
    return [Count(cell.value, cell.audience, None, None) if cell.value in small else cell for cell in cells]
