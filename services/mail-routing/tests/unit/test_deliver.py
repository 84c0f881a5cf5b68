"""When an accepted mail is looked up before it is delivered, and what a repeat does."""

from datetime import UTC, datetime
from typing import Any

import pytest
from mail_routing.application.deliver import Deliver
from mail_routing.domain.delivery import Progress, Shard
from mail_routing.domain.message import Message, MessageClass, Origin, Recipient
from mail_routing.domain.route import Route

NOW = datetime(2026, 11, 23, tzinfo=UTC)


class Known:
    """`Deliveries` that have seen every mail, and the rest of what `Deliver` needs; notes what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def seen(self, message_id: str) -> bool:
        self.asked.append("seen")
        return True

    async def report(self, message_id: str) -> None:
        self.asked.append("report")

    async def begin(self, progress: Progress, ours: object) -> None:
        self.asked.append("begin")

    async def attempt(self, shard: Shard, reading: object) -> tuple[Progress, tuple[()]]:
        self.asked.append("attempt")
        return Progress(shard, ()), ()

    async def apply_rules(self, message: Message, destinations: object, reading: object) -> Any:
        return iter(())

    async def take_bounce(self, message: Message, reading: object) -> None: ...


def delivering(known: Any) -> Deliver:
    nothing: Any = None
    return Deliver(
        Route(nothing),
        known.apply_rules,
        known.attempt,
        nothing,
        known,
        known.take_bounce,
        now=lambda: NOW,
        new_id=lambda: "x",
    )


def mail(origin: Origin) -> Message:
    to = (Recipient("ana@a.test"),)
    return Message("m", "ea", "rui@a.test", to, b"x", 1, MessageClass.NORMAL, NOW, origin)


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("origin", list(Origin))
async def test_only_a_mail_whose_id_is_its_own_and_whose_record_is_fresh_is_not_looked_up(
    origin: Origin, fresh: bool
) -> None:
    known: Any = Known()
    await delivering(known)(mail(origin), fresh=fresh)
    unknown = fresh and origin in {Origin.SMTP, Origin.SUBMISSION}
    assert known.asked == (["attempt", "begin"] if unknown else ["seen", "report"])


async def test_a_mail_that_is_handed_in_twice_at_once_is_looked_up_the_second_time() -> None:
    known: Any = Known()
    deliver = delivering(known)
    for _ in range(2):
        await deliver(mail(Origin.SMTP), fresh=True)
    assert known.asked == ["attempt", "begin", "seen", "report"]
