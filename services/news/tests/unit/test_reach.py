from hypothesis import given
from hypothesis import strategies as st
from news.domain.reach import SMALL, Count, suppressed

CELLS = st.lists(st.builds(Count, st.uuids().map(str), st.integers(1, 30), st.integers(0, 30), st.just(0)), max_size=6)


@given(CELLS)
def test_no_small_cell_is_told_and_none_can_be_had_as_a_difference(cells):
    told = suppressed(cells)
    hidden = [cell for cell in told if cell.read is None]
    assert [(cell.value, cell.audience) for cell in told] == [(cell.value, cell.audience) for cell in cells]
    assert all(cell.audience >= SMALL for cell in told if cell.read is not None)
    assert len(hidden) != 1 or len(cells) == 1
    if all(cell.audience >= SMALL for cell in cells):
        assert told == cells
