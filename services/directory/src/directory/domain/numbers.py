"""People's numbers: dense, given once, and never given to another person."""

from collections.abc import Iterable, Iterator


def unused(given: Iterable[int], next_number: int) -> Iterator[int]:
    """The numbers below `next_number` that nobody has, in order; the first number is 1.

    They were reserved by somebody who ended before the person was kept. A person is never deleted, so a
    number that nobody has is one that nobody ever had.
    """
    taken = set(given)
    return (number for number in range(1, next_number) if number not in taken)
