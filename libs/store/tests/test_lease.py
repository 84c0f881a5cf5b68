import asyncio
from datetime import timedelta

from store import Database, Lease


class Clock:
    """A monotonic clock that a test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def lease(database: Database, owner: str, clock: Clock | None = None, seconds: float = 30) -> Lease:
    return Lease(database, "relay:posts", owner, duration=timedelta(seconds=seconds), monotonic=clock or Clock())


async def test_one_of_many_gets_it_and_keeps_it(database: Database) -> None:
    leases = [lease(database, f"pod-{n}") for n in range(6)]
    taken = await asyncio.gather(*(lease.acquire() for lease in leases))
    assert taken.count(True) == 1
    holder = leases[taken.index(True)]
    assert await holder.acquire()
    assert [lease.held for lease in leases] == taken
    assert holder.fence == 1


async def test_a_released_lease_goes_to_the_next_at_once_with_a_higher_fence(database: Database) -> None:
    first, second = lease(database, "a"), lease(database, "b")
    assert await first.acquire()
    assert not await second.acquire()
    await first.release()
    assert not first.held
    assert await second.acquire()
    assert second.fence > first.fence
    assert not await first.acquire()


async def test_who_does_not_own_it_cannot_release_it(database: Database) -> None:
    first, second = lease(database, "a"), lease(database, "b")
    assert await first.acquire()
    await second.release()
    assert not await second.acquire()


async def test_a_holder_that_fell_silent_has_lost_it_before_another_comes_in(database: Database) -> None:
    clock = Clock()
    first, second = lease(database, "a", clock, seconds=0.3), lease(database, "b", seconds=30)
    assert await first.acquire()
    for seconds, held in ((0.29, True), (0.02, False)):
        clock.now += seconds
        assert first.held is held
    async with asyncio.timeout(10):
        while not await second.acquire():
            await asyncio.sleep(0.02)
    assert second.fence == first.fence + 1
    assert not await first.acquire()  # it comes back too late
    assert not first.held


async def test_the_holder_counts_from_before_it_asked(database: Database) -> None:
    clock = Clock()

    class SlowStore(Clock):
        """The answer takes longer than the lease lasts."""

        def __call__(self) -> float:
            clock.now += 20
            return clock.now

    late = Lease(database, "relay:posts", "a", duration=timedelta(seconds=15), monotonic=SlowStore())
    assert not await late.acquire()


async def test_leases_of_other_names_are_free(database: Database) -> None:
    assert await lease(database, "a").acquire()
    assert await Lease(database, "relay:files", "b").acquire()
