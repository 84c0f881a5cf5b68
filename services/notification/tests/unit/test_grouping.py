"""What is asked while the store is busy goes together, and what fails or is given up harms nobody else."""

import asyncio
from collections.abc import Sequence

import pytest
from errors import Transient
from notification.adapters.grouping import Grouping


class Slow:
    """Answers when it is let; takes down what was asked together."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.free = asyncio.Event()

    async def together(self, asks: Sequence[int]) -> list[int]:
        self.groups.append(list(asks))
        await self.free.wait()
        if 13 in asks:
            raise Transient("not now", reason="STORE_UNAVAILABLE")
        return [10 * each for each in asks]


async def asked(grouping: Grouping[int, int], *asks: int, first: bool = False) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(grouping(each, first=first)) for each in asks]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return tasks


async def test_the_first_goes_at_once_the_rest_together_and_who_is_urgent_before_all_that_wait():
    store = Slow()
    grouping = Grouping(store.together, most=3)
    tasks = await asked(grouping, 1) + await asked(grouping, 2, 3, 4) + await asked(grouping, 9, first=True)
    assert store.groups == [[1]]
    store.free.set()
    assert await asyncio.gather(*tasks) == [10, 20, 30, 40, 90]
    assert store.groups == [[1], [9, 2, 3], [4]]
    assert await grouping(5) == 50, "it goes on after it was idle"


async def test_an_error_is_that_of_its_group_alone_and_who_has_given_up_is_not_asked_for():
    store = Slow()
    grouping = Grouping(store.together, most=2)
    (begun,) = await asked(grouping, 1)
    refused, also, gone, well = await asked(grouping, 13, 2, 3, 4)
    gone.cancel()
    store.free.set()
    assert await begun == 10
    for each in (refused, also):
        with pytest.raises(Transient):
            await each
    assert await well == 40
    assert store.groups == [[1], [13, 2], [4]]
