"""Bulk stands still while others begin late, and never for good."""

from datetime import UTC, datetime, timedelta

from notification.application.right_of_way import RightOfWay
from notification.domain.vocabulary import Lane

AT = datetime(2026, 11, 24, 9, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0
        self.late_again = 0

    def __call__(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        if self.late_again:
            self.late_again -= 1
            await self.way.begin(Lane.TRANSACTIONAL, AT, AT + timedelta(seconds=5))

    way: RightOfWay


def made() -> tuple[Clock, RightOfWay]:
    clock = Clock()
    clock.way = RightOfWay(clock, clock.sleep)
    return clock, clock.way


async def test_bulk_goes_at_once_while_nobody_is_late_and_a_second_after_the_last_who_was():
    clock, way = made()
    await way.begin(Lane.TRANSACTIONAL, AT, AT + timedelta(seconds=0.9))
    await way.begin(Lane.BULK, AT, AT + timedelta(hours=1))
    assert clock.seconds == 0, "that it is late itself does not count"
    await way.begin(Lane.EMERGENCY, AT, AT + timedelta(seconds=1.1))
    await way.begin(Lane.EMERGENCY, AT, AT + timedelta(seconds=1.1))
    assert clock.seconds == 0, "the others never wait"
    clock.late_again = 2
    await way.begin(Lane.BULK, AT, AT)
    assert clock.seconds == 3


async def test_bulk_goes_on_after_a_while_although_others_are_late_all_the_time():
    clock, way = made()
    clock.late_again = 1000
    await way.begin(Lane.TRANSACTIONAL, AT, AT + timedelta(seconds=5))
    await way.begin(Lane.BULK, AT, AT)
    assert clock.seconds == 20
