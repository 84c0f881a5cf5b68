"""What becomes of recipients over time: the schedule of retries, expiry, and the report to the sender."""

import email
import random
from datetime import UTC, datetime, timedelta
from email import policy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail_routing.domain import dsn, internet_message_id, retry
from mail_routing.domain.delivery import Action, Delivery, Plan, Result, Shard, State, attempted
from mail_routing.domain.message import Message, MessageClass, Origin, Recipient
from mail_routing.domain.route import Destination, Kind

START = datetime(2026, 11, 23, 12, tzinfo=UTC)
CONTENT = b"From: ana@a.test\r\nSubject: hello\r\n\r\nthe body\r\n"


def message(sender: str = "ana@a.test") -> Message:
    to = (Recipient("x@far.test"),)
    kind = MessageClass.NORMAL
    return Message("m1", "ea", sender, to, CONTENT, len(CONTENT), kind, START, Origin.GRPC, envelope_id="env1")


def relay(address: str, *notify: str) -> Delivery:
    return Delivery(Destination(Kind.RELAY, address, "mx.far.test:25", address, notify=notify))


def shard(*deliveries: Delivery, sender: str = "ana@a.test") -> Shard:
    return Shard(message(sender), 0, deliveries, START)


def to(**results: Result) -> dict[Destination, Result]:
    return {relay(f"{name}@far.test").destination: result for name, result in results.items()}


AWAY = Result(State.DEFERRED, "4.4.1", "The next hop is away")
TAKEN = Result(State.DELIVERED, "2.0.0", "250 Ok")
UNKNOWN = Result(State.BOUNCED, "5.1.1", "550 5.1.1 No such user\x07 ação", "mx.far.test")


@given(st.integers(1, 60), st.floats(0, 1))
def test_waits_grow_with_jitter_to_four_hours(attempts: int, jitter: float) -> None:
    due = retry.next_attempt(START, START, attempts, jitter)
    assert due is not None
    plain = min(timedelta(minutes=1) * 2 ** min(attempts - 1, 20), timedelta(hours=4))
    assert plain * 0.75 <= due - START <= plain * 1.25 + timedelta(milliseconds=1)


def test_a_dead_next_hop_is_tried_for_five_days_and_then_reported_once() -> None:
    clock, chance = START, random.Random(7)
    progress = attempted(shard(relay("x@far.test")), to(x=AWAY), clock, chance.random())
    attempts = 1
    notices: list[tuple[Delivery, Action]] = []
    while progress.shard.due is not None:
        assert all(action is Action.DELAYED for _, action in progress.notices)
        notices += progress.notices
        assert progress.shard.due > clock
        clock = progress.shard.due
        progress = attempted(progress.shard, to(x=AWAY), clock, chance.random())
        attempts += 1
    assert clock == START + timedelta(days=5)
    assert 30 < attempts < 60
    (delayed, _), ((bounced, action),) = notices[0], progress.notices
    assert len(notices) == 1, "one delay is told"
    assert delayed.at is not None
    assert timedelta(hours=4) <= delayed.at - START <= timedelta(hours=9)
    assert action is Action.FAILED
    assert (bounced.status, bounced.attempts) == ("4.4.7", attempts)
    assert "away" in bounced.reply


def test_final_states_stay_whatever_comes_later() -> None:
    first = attempted(shard(relay("x@far.test"), relay("y@far.test")), to(x=TAKEN, y=AWAY), START, 0)
    assert [d.destination.address for d in first.changed] == ["x@far.test", "y@far.test"]
    second = attempted(first.shard, to(x=UNKNOWN, y=TAKEN), START + timedelta(hours=1), 0)
    assert [(d.destination.address, d.state) for d in second.changed] == [("y@far.test", State.DELIVERED)]
    assert second.shard.due is None
    assert [d.state for d in second.shard.deliveries] == [State.DELIVERED, State.DELIVERED]


def test_shard_ids_depend_on_the_mail_alone_for_the_first() -> None:
    assert shard().id == "m1/0"
    assert Shard(message(), 0, (), START, plan=Plan("plan", 3)).id == "m1/0"
    assert Shard(message(), 2, (), START, plan=Plan("plan", 3)).id == "m1/plan/2"


def failed(*deliveries: Delivery, sender: str = "ana@a.test") -> Message | None:
    results = {d.destination: UNKNOWN for d in deliveries}
    progress = attempted(shard(*deliveries, sender=sender), results, START + timedelta(minutes=1), 0)
    return dsn.report(progress, CONTENT, "mx.test")


def test_the_report_is_one_that_programs_and_people_read() -> None:
    report = failed(relay("x@far.test"), relay("quiet@far.test", "NEVER"), relay("y@far.test", "FAILURE"))
    assert report is not None
    assert (report.sender, report.recipients[0].address, report.origin) == ("", "ana@a.test", Origin.DSN)
    assert isinstance(report.content, bytes)
    assert report.content.count(b"\n") == report.content.count(b"\r\n")
    assert report.internet_message_id == internet_message_id.of(report.content) == f"{report.message_id}@mx.test"
    parsed: Any = email.message_from_bytes(report.content, policy=policy.default)
    assert not parsed.defects
    assert parsed.get_content_type() == "multipart/report"
    assert parsed["To"] == "ana@a.test"
    text, status, original = parsed.iter_parts()
    assert "não foi entregue" in text.get_content()
    assert "was not delivered" in text.get_content()
    fields = status.get_payload()
    assert fields[0]["Reporting-MTA"] == "dns; mx.test"
    assert fields[0]["Original-Envelope-Id"] == "env1"
    assert [f["Final-Recipient"] for f in fields[1:]] == ["rfc822; x@far.test", "rfc822; y@far.test"]
    assert fields[1]["Action"] == "failed"
    assert fields[1]["Status"] == "5.1.1"
    assert fields[1]["Remote-MTA"] == "dns; mx.far.test"
    assert fields[1]["Diagnostic-Code"].startswith("smtp; 550 5.1.1 No such user")
    assert original.get_content_type() == "text/rfc822-headers"
    assert b"Subject: hello" in report.content
    assert b"the body" not in report.content


def test_what_another_server_says_adds_no_fields_to_the_report() -> None:
    said = "550 no\r\nAction: delivered\r\n\r\nFinal-Recipient: rfc822; z@far.test\r\nAction: failed\0"
    results = to(x=Result(State.BOUNCED, "5.0.0", said, f"mx.far.test\r\n{said}"))
    progress = attempted(shard(relay("x@far.test")), results, START + timedelta(minutes=1), 0)
    report = dsn.report(progress, CONTENT, "mx.test")
    assert report is not None
    assert isinstance(report.content, bytes)
    parsed: Any = email.message_from_bytes(report.content, policy=policy.default)
    _, status, _ = parsed.iter_parts()
    assert [fields["Final-Recipient"] for fields in status.get_payload()] == [None, "rfc822; x@far.test"]
    assert [fields.get_all("Action") for fields in status.get_payload()] == [None, ["failed"]]
    assert b"\0" not in report.content


def test_the_same_failure_is_the_same_report() -> None:
    assert failed(relay("x@far.test")) == failed(relay("x@far.test"))


@pytest.mark.parametrize("case", ["null sender", "nobody wants to know"])
def test_nobody_is_told(case: str) -> None:
    if case == "null sender":
        assert failed(relay("x@far.test"), sender="") is None
    else:
        assert failed(relay("x@far.test", "NEVER"), relay("y@far.test", "SUCCESS")) is None
