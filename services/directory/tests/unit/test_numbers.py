"""Numbers that were reserved and never given come first, and none is given twice."""

from directory.domain.numbers import unused


def test_nothing_is_unused_when_everything_was_given() -> None:
    assert list(unused([2, 1, 3], 4)) == []
    assert list(unused([], 1)) == []


def test_what_a_killed_import_reserved_is_given_in_order() -> None:
    assert list(unused([1, 3, 6], 8)) == [2, 4, 5, 7]
