"""The log of accepted mail when its broker does not confirm: refused in time, and little is left in doubt."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from errors import Transient
from mail_routing.adapters.accepted_log import KafkaAcceptedLog
from mail_routing.domain.message import Message, MessageClass, Origin, Recipient
from store import OutboxRecord


class Broker:
    """A producer that confirms while the gate is open."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.sent: list[str] = []

    async def publish(self, records: Sequence[OutboxRecord], *, together: bool = False) -> None:
        self.sent += [record.id.removeprefix("accepted.") for record in records]
        await self.gate.wait()


def mail(message_id: str, origin: Origin) -> Message:
    to = (Recipient("ana@a.test"),)
    at = datetime(2026, 11, 23, tzinfo=UTC)
    return Message(message_id, "ea", "rui@a.test", to, b"x", 1, MessageClass.NORMAL, at, origin)


@pytest.mark.parametrize("origin", [Origin.SMTP, Origin.GRPC])
async def test_what_is_not_confirmed_in_time_is_refused_and_until_it_is_nothing_more_is_sent(origin: Origin) -> None:
    broker: Any = Broker()
    log = KafkaAcceptedLog(broker, patience=0.05)

    async def refused(message_id: str) -> None:
        with pytest.raises(Transient) as refusal:
            await log.append(mail(message_id, origin))
        assert refusal.value.reason == "KAFKA_DOWN"

    await asyncio.gather(*(refused(name) for name in ("first", "second")))
    await refused("third")
    assert set(broker.sent) <= {"first", "second"}
    broker.gate.set()
    async with asyncio.timeout(10):
        while log._late:
            await asyncio.sleep(0)
    await log.append(mail("fourth", origin))
    assert broker.sent[-1] == "fourth"
    assert "third" not in broker.sent
