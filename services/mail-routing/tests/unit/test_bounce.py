"""Reports of others, matched to our mail; and bytes that only look like one."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import errors
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail_routing.application.take_bounce import TakeBounce
from mail_routing.domain import bounce, dsn, headers
from mail_routing.domain.delivery import Action, Delivery, Progress, Shard, State
from mail_routing.domain.message import Message, MessageClass, Origin, received
from mail_routing.domain.route import Destination, Kind

AT = datetime(2026, 11, 23, tzinfo=UTC)
OURS = Message("m-1", "ea", "ana@a.test", (), b"", 0, MessageClass.NORMAL, AT, Origin.GRPC)


def taken(address: str, original: str = "", kind: Kind = Kind.RELAY) -> Delivery:
    return Delivery(Destination(kind, address, "mx:far.test", original or address), State.DELIVERED, "2.0.0", "250 ok")


def report_of_the_other_side(*failed: str) -> bytes:
    """What another installation of ours would send about our mail, whose code writes it."""
    content = received(OURS, "mx.ours.test") + b"Subject: x\r\n\r\nbody\r\n"
    down = tuple(
        replace(taken(a), state=State.BOUNCED, status="5.1.1", reply="550 5.1.1 gone", remote="mx.far.test")
        for a in failed
    )
    message = replace(OURS, message_id="theirs", content=content)
    made = dsn.report(
        Progress(Shard(message, 0, down, None), down, tuple((d, Action.FAILED) for d in down)), content, "mx.far.test"
    )
    assert made is not None
    assert isinstance(made.content, bytes)
    return made.content


def test_a_report_is_matched_by_the_field_that_we_left_and_the_recipient() -> None:
    content = report_of_the_other_side("X@far.test", "list@far.test")
    assert bounce.is_report("", headers.read(content))
    assert not bounce.is_report("a@b.test", headers.read(content))
    report = bounce.read(content, "mx.ours.test")
    assert report.message_ids == ("m-1",)
    shard = Shard(OURS, 0, (taken("x@far.test"), taken("y@far.test"), taken("x@far.test", kind=Kind.MAILBOX)), None)
    progress = bounce.bounced(shard, report, AT)
    assert progress is not None
    assert [d.state for d in progress.shard.deliveries] == [State.BOUNCED, State.DELIVERED, State.DELIVERED]
    assert (progress.changed[0].status, progress.changed[0].reply) == ("5.1.1", "smtp; 550 5.1.1 gone")
    assert bounce.bounced(progress.shard, report, AT) is None, "a repeat changes nothing"
    assert bounce.read(content, "mx.others.test").message_ids == ()


class Recorded:
    """`Deliveries` with one shard, or none yet; `written` is what was recorded."""

    def __init__(self) -> None:
        self.shards: list[Shard] = []
        self.written: list[Progress] = []

    async def trace(self, *, message_id: str, limit: int) -> AsyncIterator[Shard]:
        for each in self.shards:
            yield each

    async def record(self, progress: Progress) -> None:
        self.written.append(progress)


async def test_a_report_that_comes_before_the_delivery_is_recorded_waits_for_it_a_moment() -> None:
    deliveries, clock = Recorded(), [AT + timedelta(seconds=1)]
    content = report_of_the_other_side("x@far.test")
    mail = replace(OURS, message_id="a-report", sender="", content=content, accepted_at=AT)

    async def reading() -> bytes:
        return content

    take: Any = TakeBounce(deliveries, "mx.ours.test", now=lambda: clock[0])  # type: ignore[arg-type]
    with pytest.raises(errors.Transient) as early:
        await take(mail, reading)
    assert early.value.reason == "MAIL_IN_HAND"
    deliveries.shards.append(Shard(OURS, 0, (taken("x@far.test"),), None))
    await take(mail, reading)
    assert [d.state for progress in deliveries.written for d in progress.changed] == [State.BOUNCED]
    deliveries.shards.clear()
    clock[0] = AT + timedelta(seconds=5)
    await take(mail, reading)  # of a mail that nobody knows: it is passed over


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_bytes_are_read(before: bytes, inside: bytes) -> None:
    bounce.read(
        before + b"\r\nContent-Type: message/delivery-status\r\n\r\n" + inside + b"\r\n--x--\r\n", "mx.ours.test"
    )
