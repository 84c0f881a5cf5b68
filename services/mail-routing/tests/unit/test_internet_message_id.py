"""The Message-ID of a mail: whatever an author writes there, it is found once, or not at all, and harms nothing."""

from datetime import UTC, datetime
from typing import Any

import errors
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail_routing.adapters import documents, wire
from mail_routing.application.accept import Accept
from mail_routing.domain import headers, internet_message_id
from mail_routing.domain.delivery import Shard
from mail_routing.domain.message import Message, MessageClass, Origin, added_fields
from rossio.mail.v1 import events_pb2

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LONG = "x" * 10_240


def mail(content: bytes = b"Subject: x\r\n\r\n", origin: Origin = Origin.SMTP, named: str = "") -> Message:
    kind = MessageClass.NORMAL
    return Message("m1", "ea", "ana@a.test", (), content, len(content), kind, NOW, origin, internet_message_id=named)


@pytest.mark.parametrize(
    ("field", "found"),
    [
        (b"Message-ID: <1@a.test>", "1@a.test"),
        (b"MESSAGE-id : <Aa+/=@A.test>", "Aa+/=@A.test"),
        (b"Message-ID:\r\n <1@a.test>", "1@a.test"),
        (b"Message-ID: (a comment)\r\n\t< 1@a\r\n .test > (and another)", "1@a.test"),
        (b"Message-ID: 1@a.test", "1@a.test"),
        (b"Message-ID: no brackets", "nobrackets"),
        (b"Message-ID: <1@a.test", "1@a.test"),
        (b"Message-ID: <1@a.test>\r\nMessage-ID: <2@a.test>", "1@a.test"),
        (b"Message-ID: <1@a.test> <2@a.test>", "1@a.test"),
        ("Message-ID: <não@ação.test>".encode(), "não@ação.test"),
        (b"Message-ID: <\xff@a.test>", "\N{REPLACEMENT CHARACTER}@a.test"),
        (b"Message-ID: <" + LONG.encode() + b"@a.test>", LONG[:256]),
        (b"Message-ID: <1\0@a.test>", ""),
        (b"Message-ID: <\x1b[2J@a.test>", ""),
        ("Message-ID: <\N{RIGHT-TO-LEFT OVERRIDE}1@a.test>".encode(), ""),
        (b"Message-ID:", ""),
        (b"Message-ID: <>", ""),
        (b"Message-ID: < > ", ""),
        (b"Message-ID:\r\nMessage-ID: <2@a.test>", ""),
        (b"X-Message-ID: <1@a.test>", ""),
        (b"Subject: x\r\n Message-ID: <1@a.test>", ""),
    ],
)
@pytest.mark.parametrize("before", [b"", b"From: ana@a.test\r\n"])
def test_it_is_what_stands_in_the_brackets_of_the_first_field(before: bytes, field: bytes, found: str) -> None:
    assert internet_message_id.of(before + field + b"\r\n\r\nMessage-ID: <body@a.test>\r\n") == found
    assert internet_message_id.of(before + field + b"\r\n") == found


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\nMessage-ID: <1@a.test>\r\n\r\n",
        b"Subject: x\r\n\r\nMessage-ID: <1@a.test>\r\n",
        b"Subject: " + b"x" * headers.MAX_OCTETS + b"\r\nMessage-ID: <1@a.test>\r\n\r\n",
    ],
)
def test_beyond_the_header_section_is_none(content: bytes) -> None:
    assert internet_message_id.of(content) == ""


@given(st.text(max_size=400) | st.text(alphabet="<>@ a\r\n\t\0", max_size=40))
def test_what_is_canonical_stays_so_with_its_brackets_or_without(text: str) -> None:
    found = internet_message_id.canonical(text)
    assert len(found) <= internet_message_id.MAX_LENGTH
    assert found.isprintable()
    assert " " not in found
    assert internet_message_id.canonical(found) == found
    assert internet_message_id.canonical(f"<{found}>") == found


FIELDS = st.sampled_from([b"Message-ID: <1@a>", b"message-id:", b" folded", b"\tmessage-id: x", b"To: x", b"", b"\xff"])


@given(st.lists(FIELDS, max_size=6).map(lambda lines: b"".join(line + b"\r\n" for line in lines)))
def test_one_field_is_found_where_all_are_read(content: bytes) -> None:
    try:
        read = headers.read(content)
    except errors.Invalid:
        return
    assert headers.Finder("message-id")(content) == next(iter(read.all("message-id")), None)


@pytest.mark.parametrize("named", ["1@a.test", "não@ação.test", "x" * 256, ""])
def test_records_and_documents_keep_it(named: str) -> None:
    kept = mail(named=named)
    assert wire.message(events_pb2.MessageAccepted.FromString(wire.accepted(kept).SerializeToString())) == kept
    document = documents.shard_document(Shard(kept, 0, (), NOW))
    assert documents.shard(document | {"version": 1}).message.internet_message_id == named
    assert [each for each in document["parties"] if each.startswith("m:")] == ([f"m:{named}"] if named else [])


@pytest.mark.parametrize(
    ("content", "origin", "named"),
    [
        (b"Subject: x\r\n\r\n", Origin.GRPC, "m1@mx.test"),
        (b"Subject: x\r\n\r\n", Origin.SUBMISSION, "m1@mx.test"),
        (b"Subject: x\r\n\r\n", Origin.SMTP, ""),
        (b"Message-ID: <\x01>\r\n\r\n", Origin.GRPC, ""),
    ],
)
async def test_a_mail_is_known_by_what_it_gets_from_us(content: bytes, origin: Origin, named: str) -> None:
    unused: Any = None
    accepted = await Accept(unused, unused, "mx.test").prepare(mail(content, origin))
    assert accepted.internet_message_id == named
    added = added_fields(accepted, headers.read(content), "worker.test")
    assert internet_message_id.of(added) == named


def test_a_record_of_before_gets_the_name_that_it_got_then() -> None:
    added = added_fields(mail(origin=Origin.GRPC), headers.read(b""), "mx.test")
    assert internet_message_id.of(added) == "m1@mx.test"
