"""Group commit: one piece of work for all who wait, and each their own answer."""

import asyncio
from collections.abc import Sequence

import pytest
from store import Grouped


class Slow:
    """Doubles numbers; each group waits for the gate."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.begun = asyncio.Event()
        self.gate = asyncio.Event()

    async def __call__(self, items: Sequence[int]) -> list[int]:
        self.groups.append(list(items))
        self.begun.set()
        await self.gate.wait()
        if 13 in items:
            raise OSError("unlucky")
        return [2 * item for item in items]


async def test_who_comes_while_others_are_worked_on_shares_the_next_group() -> None:
    work = Slow()
    grouped = Grouped(work, most=3)
    first = asyncio.create_task(grouped(1))
    await work.begun.wait()
    rest = [asyncio.create_task(grouped(n)) for n in range(2, 7)]
    work.gate.set()
    assert await asyncio.gather(first, *rest) == [2, 4, 6, 8, 10, 12]
    assert work.groups == [[1], [2, 3, 4], [5, 6]]


async def test_a_failure_is_everybodys_in_the_group_and_nobody_elses() -> None:
    work = Slow()
    work.gate.set()
    grouped = Grouped(work, most=2)
    answers = await asyncio.gather(*(grouped(n) for n in (13, 1, 2)), return_exceptions=True)
    assert [type(a) for a in answers] == [OSError, OSError, int]


async def test_an_answer_too_few_is_an_error_and_leaves_nobody_waiting() -> None:
    async def forgetful(items: Sequence[int]) -> list[int]:
        return list(items)[:-1]

    grouped = Grouped(forgetful)
    answers = await asyncio.gather(*(grouped(n) for n in (1, 2, 3)), return_exceptions=True)
    assert [type(a) for a in answers] == [int, int, ValueError]


async def test_who_has_given_up_before_their_turn_is_not_worked_for_and_stops_nobody() -> None:
    work = Slow()
    grouped = Grouped(work)
    begun = asyncio.create_task(grouped(1))
    await work.begun.wait()
    impatient, patient = asyncio.create_task(grouped(2)), asyncio.create_task(grouped(3))
    await asyncio.sleep(0)
    for gone in (begun, impatient):
        gone.cancel()
    work.gate.set()
    assert await patient == 6
    assert work.groups == [[1], [3]]
    for gone in (begun, impatient):
        with pytest.raises(asyncio.CancelledError):
            await gone


async def test_who_is_first_goes_before_all_that_wait() -> None:
    work = Slow()
    grouped = Grouped(work, most=2)
    begun = asyncio.create_task(grouped(1))
    await work.begun.wait()
    tasks = [asyncio.create_task(grouped(n, first=n == 9)) for n in (2, 3, 9)]
    await asyncio.sleep(0)
    work.gate.set()
    assert await asyncio.gather(begun, *tasks) == [2, 4, 6, 18]
    assert work.groups == [[1], [9, 2], [3]]
    assert await grouped(5) == 10, "it goes on after it was idle"


async def test_as_many_groups_are_worked_on_at_a_time_as_there_are_lanes() -> None:
    work = Slow()
    grouped = Grouped(work, lanes=2)
    tasks = []
    for number in range(1, 6):
        tasks.append(asyncio.create_task(grouped(number)))
        for _ in range(3):
            await asyncio.sleep(0)
    assert work.groups == [[1], [2]]
    work.gate.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6, 8, 10]
    assert work.groups == [[1], [2], [3, 4, 5]]


async def test_a_group_stays_open_for_a_while_where_the_one_before_held_several() -> None:
    work = Slow()
    work.gate.set()
    grouped = Grouped(work, linger=0.3)

    async def one_after_the_other(*numbers: int) -> None:
        asked = []
        for number in numbers:
            asked.append(asyncio.create_task(grouped(number)))
            for _ in range(5):
                await asyncio.sleep(0)
        await asyncio.gather(*asked)

    await one_after_the_other(1)
    await asyncio.gather(grouped(2), grouped(3))
    await one_after_the_other(4, 5)
    assert work.groups == [[1], [2, 3], [4, 5]]
