"""Counts of readers that point at nobody.

A cell of few people is not told, nor is one from which such a cell could be had: as what the others leave of the
whole (complementary suppression), or as the difference of two of which one holds the other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from directory_view import Bitmap

SMALL: Final = 10
"""A cell of fewer people says too much about each of them."""


@dataclass(frozen=True, slots=True)
class Count:
    """One cell of a table: how many people, and how many of them have read and acknowledged; None: not told."""

    value: str
    audience: int
    read: int | None
    acknowledged: int | None


@dataclass(frozen=True, slots=True)
class Cell:
    """The people of the audience who have one value of an attribute."""

    value: str
    people: Bitmap


def told(whole: Bitmap, tables: Sequence[Sequence[Cell]]) -> tuple[bool, list[set[str]]]:
    """Whether the whole is told, and of each table the values that are.

    Of any table may be that it divides the whole, or that its cells overlap; people may be in none of them.
    """
    if len(whole) < SMALL:
        return False, [set() for _ in tables]
    shown = [[cell for cell in table if len(cell.people) >= SMALL] for table in tables]
    while (close := _close(whole, shown)) is not None:
        shown = [[cell for cell in table if cell is not close] for table in shown]
    return True, [{cell.value for cell in _without_rest(whole, table)} for table in shown]


def _without_rest(whole: Bitmap, table: Sequence[Cell]) -> list[Cell]:
    """The cells but the smallest, until those that are left say nothing about few.

    They may leave nobody of the whole where they do not overlap: what some of them leave is others of them then.
    Where they overlap, what two of them share could be had, so they leave many people or they go. Cells of the
    whole say what it says.
    """
    all_of_it = [cell for cell in table if len(cell.people) == len(whole)]
    kept = sorted((cell for cell in table if cell not in all_of_it), key=lambda cell: (len(cell.people), cell.value))
    while kept:
        union = Bitmap.union(*(cell.people for cell in kept))
        divides = len(union) == len(whole) == sum(len(cell.people) for cell in kept)
        if divides or len(whole) - len(union) >= SMALL:
            break
        del kept[0]
    return [*all_of_it, *kept]


def _close(whole: Bitmap, tables: Sequence[Sequence[Cell]]) -> Cell | None:
    """A cell that a few people tell from one that holds it, the whole among those."""
    cells = [Cell("", whole), *_all(tables)]
    by_size = sorted(cells, key=lambda cell: len(cell.people))
    for at, inner in enumerate(by_size):
        for outer in by_size[at + 1 :]:
            more = len(outer.people) - len(inner.people)
            if more >= SMALL:
                break
            if more and inner.people.issubset(outer.people):
                return inner
    return None


def _all(tables: Iterable[Iterable[Cell]]) -> Iterable[Cell]:
    return (cell for table in tables for cell in table)
