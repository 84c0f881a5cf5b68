from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from uuid import UUID

import pytest
from mail_routing.domain import internet_message_id, sameness
from mail_routing.domain.message import Message, MessageClass, Origin, Recipient
from mail_routing.domain.sameness import Lately, begun_at, may_have_come_before

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ENVELOPE = ("ana@a.test", "", "", "")
TO = (Recipient("rui@a.test"),)


def content(at: datetime = NOW, body: str = "hello", fields: str = "Message-ID: <1@a.test>\r\n") -> bytes:
    return f"From: ana@a.test\r\n{fields}Date: {format_datetime(at)}\r\n\r\n{body}\r\n".encode()


def same_id(envelope: tuple[str, ...], to: tuple[Recipient, ...], octets: bytes, now: datetime) -> str | None:
    return sameness.same_id(envelope, to, octets, internet_message_id.of(octets), now)


def mail(message_id: str) -> Message:
    return Message(message_id, "a", "ana@a.test", TO, b"x", 1, MessageClass.NORMAL, NOW, Origin.SMTP)


def test_what_comes_again_has_the_same_id_whenever_that_is() -> None:
    first, later = (same_id(ENVELOPE, TO, content(), NOW + late) for late in (timedelta(0), timedelta(days=5)))
    assert first == later
    assert first is not None
    assert UUID(first).version == 7
    assert begun_at(mail(first)) == NOW


@pytest.mark.parametrize(
    ("envelope", "to", "octets"),
    [
        (("eva@a.test", "", "", ""), TO, content()),
        (("ana@a.test", "p-ana", "", ""), TO, content()),
        (ENVELOPE, (*TO, Recipient("eva@a.test")), content()),
        (ENVELOPE, (Recipient("rui@a.test", "rfc822;x@y.test"),), content()),
        (ENVELOPE, TO, content(body="hallo")),
        (ENVELOPE, TO, content(NOW + timedelta(seconds=1))),
    ],
)
def test_what_differs_in_anything_is_another_mail(
    envelope: tuple[str, ...], to: tuple[Recipient, ...], octets: bytes
) -> None:
    assert same_id(envelope, to, octets, NOW) not in {None, same_id(ENVELOPE, TO, content(), NOW)}


@pytest.mark.parametrize(
    "octets",
    [
        content(fields=""),
        content(fields="Message-ID:\r\n"),
        content(fields="Message-ID: <>\r\n"),
        content(NOW - timedelta(days=7)),
        content(NOW + timedelta(days=2)),
        b"Message-ID: <1@a.test>\r\n\r\nDate: Mon, 23 Nov 2026 12:00:00 +0000\r\n",
        b"Message-ID: <1@a.test>\r\nDate: yesterday\r\n\r\nx\r\n",
        b"Message-ID: <1@a.test>\r\nDate: Mon, 23 Nov 2026 12:00:00 -0000\r\n\r\nx\r\n",
        b"Date: \xff\r\nMessage-ID: <1@a.test>\r\n\r\n",
        b"",
    ],
)
def test_without_a_name_and_a_time_of_its_own_each_is_a_mail(octets: bytes) -> None:
    assert same_id(ENVELOPE, TO, octets, NOW) is None


def test_a_name_may_stand_on_a_line_of_its_own() -> None:
    assert same_id(ENVELOPE, TO, content(fields="Message-ID:\r\n <1@a.test>\r\n"), NOW) is not None


@pytest.mark.parametrize(("ago", "before"), [(0, False), (9, False), (11, True), (86400, True), (-60, True)])
def test_what_was_written_a_while_ago_may_have_come_before(ago: int, before: bool) -> None:
    found = same_id(ENVELOPE, TO, content(NOW - timedelta(seconds=ago)), NOW)
    assert found is not None
    assert may_have_come_before(mail(found)) is before


def test_an_id_of_another_form_is_of_the_time_when_the_mail_came() -> None:
    assert not may_have_come_before(mail("m"))


def test_the_first_of_too_many_ids_are_forgotten() -> None:
    lately = Lately()
    for number in range(20_000):
        lately.add(str(number))
    assert "19999" in lately
    assert "0" not in lately
