from itertools import combinations

import pytest
from directory_view import Bitmap
from hypothesis import given
from hypothesis import strategies as st
from news.domain.reach import SMALL, Cell, told

PEOPLE = range(60)


def table(draw, *, divides: bool) -> list[Cell]:
    """Cells that divide the whole, or that overlap and leave some people out."""
    count = draw(st.integers(1, 6))
    if divides:
        of = [draw(st.integers(0, count - 1)) for _ in PEOPLE]
        cells = [Bitmap(who for who in PEOPLE if of[who] == at) for at in range(count)]
    else:
        cells = []
        for _ in range(count):
            first = draw(st.sampled_from(PEOPLE))
            cells.append(Bitmap(range(first, draw(st.integers(first, len(PEOPLE))))))
    return [Cell(f"v{at}", people) for at, people in enumerate(cells) if people]


@st.composite
def tables(draw) -> list[list[Cell]]:
    return [table(draw, divides=draw(st.booleans())) for _ in range(draw(st.integers(1, 3)))]


@given(tables())
def test_no_few_people_are_told_and_none_can_be_had_as_a_difference(given_tables):
    whole = Bitmap(PEOPLE)
    whole_is_told, shown = told(whole, given_tables)
    assert whole_is_told
    cells = [
        [cell for cell in table if cell.value in values] for table, values in zip(given_tables, shown, strict=True)
    ]
    everything = [whole, *(cell.people for table in cells for cell in table)]
    assert all(len(people) >= SMALL for people in everything)
    for one, other in combinations(everything, 2):
        inner, outer = sorted((one, other), key=len)
        if inner.issubset(outer):
            assert not 0 < len(outer - inner) < SMALL
    for table in cells:
        # Any of the cells, as long as they do not overlap, can be taken from the whole.
        for count in range(1, len(table) + 1):
            for some in combinations(table, count):
                union = Bitmap.union(*(cell.people for cell in some))
                if len(union) == sum(len(cell.people) for cell in some):
                    assert not 0 < len(whole - union) < SMALL


@pytest.mark.parametrize(
    ("sizes", "shown"),
    [
        ([20, 30], {"v0", "v1"}),
        ([20, 30, 10], {"v0", "v1", "v2"}),
        # One small cell: the smallest other goes with it.
        ([4, 30, 20], {"v1"}),
        # Two small ones that are few together: so does a third.
        ([3, 4, 20, 30], {"v3"}),
        # Two small ones that are enough people together.
        ([6, 7, 20, 30], {"v2", "v3"}),
        ([4, 30], set()),
        ([4, 5], set()),
    ],
)
def test_what_the_others_leave_is_not_few(sizes, shown):
    start, cells = 0, []
    for at, size in enumerate(sizes):
        cells.append(Cell(f"v{at}", Bitmap(range(start, start + size))))
        start += size
    assert told(Bitmap(range(start)), [cells])[1] == [shown]


def test_a_role_that_all_but_few_have_is_not_told_nor_one_that_few_tell_from_another():
    whole = Bitmap(range(100))
    nearly_all = Cell("staff", Bitmap(range(95)))
    wide, narrow = Cell("wide", Bitmap(range(40))), Cell("narrow", Bitmap(range(37)))
    roles = [nearly_all, wide, narrow]
    assert told(whole, [roles])[1] == [{"wide"}]
    other_table = [Cell("e01", Bitmap(range(43))), Cell("e02", Bitmap(range(43, 100)))]
    assert told(whole, [roles, other_table])[1] == [set(), {"e01", "e02"}]


def test_of_a_small_audience_nothing_is_told():
    whole = Bitmap(range(9))
    assert told(whole, [[Cell("e01", whole)]]) == (False, [set()])
