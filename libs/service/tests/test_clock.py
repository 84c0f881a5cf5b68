import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import telemetry
from errors import Transient
from service.clock import Chore, Work, now
from testkit.polling import until

AWAY = Transient("the moon is down", reason="MOON_DOWN")


class Asked:
    """Work that gives one answer after the other, and the last one ever after."""

    def __init__(self, *answers: int | Exception | None) -> None:
        self.answers = list(answers)
        self.times: list[datetime] = []

    async def __call__(self, at: datetime) -> int | None:
        self.times.append(at)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


async def while_it_runs(work: Work, true: Callable[[], object], *, first: bool = False) -> None:
    chore = Chore("windows", 0.001, work, first=first)
    await chore.start()
    await until(true)
    await chore.stop()


def test_the_time_is_what_the_store_keeps_of_it() -> None:
    assert now().tzinfo is UTC
    assert now().microsecond % 1000 == 0


async def test_a_chore_is_told_the_time_again_and_again_until_it_is_stopped() -> None:
    work, begun = Asked(None), now()
    await while_it_runs(work, lambda: len(work.times) >= 3)
    count = len(work.times)
    assert begun <= work.times[0] < work.times[-1] <= now()
    await asyncio.sleep(0.01)
    assert len(work.times) == count


async def test_what_fails_is_said_and_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    work = Asked(AWAY, 7, 0)
    await while_it_runs(work, lambda: len(work.times) >= 3)
    said = [line for line in capsys.readouterr().err.splitlines() if "windows" in line]
    assert len(said) == 2
    assert "MOON_DOWN" in said[0]
    assert "7" in said[1]


async def test_what_comes_first_is_done_when_the_start_returns() -> None:
    work = Asked(None)
    chore = Chore("windows", 3600, work, first=True)
    await chore.start()
    assert len(work.times) == 1
    await chore.stop()


async def test_the_start_waits_for_what_comes_first() -> None:
    work = Asked(AWAY, None)
    chore = Chore("windows", 3600, work, first=True)
    with pytest.raises(Transient, match="the moon is down"):
        await chore.start()
    await chore.stop()
    await chore.start()
    assert len(work.times) == 2
    await chore.stop()


async def test_a_bug_in_a_chore_is_said_with_its_place_and_keeps_nobody_from_being_served(
    capsys: pytest.CaptureFixture[str],
) -> None:
    work = Asked(ZeroDivisionError("of windows"), 0)
    await while_it_runs(work, lambda: len(work.times) >= 3)
    (said,) = [line for line in capsys.readouterr().err.splitlines() if "windows" in line]
    assert "ZeroDivisionError" in said
    assert '"error"' in said
    assert telemetry.health.ready()
