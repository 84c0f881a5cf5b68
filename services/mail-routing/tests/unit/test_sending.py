"""Who may send as whom, and which addresses a mail speaks for."""

import contextlib

import errors
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail_routing.domain import headers, mailboxes, sending
from mail_routing.domain.sending import Right, Standing

ANA = Standing(
    frozenset({"ana@a.test", "ana.silva@a.test"}).__contains__,
    {"desk@a.test": Right.SEND_AS, "boss@a.test": Right.ON_BEHALF},
    "ana@a.test",
)

DECISIONS = [
    ("ana@a.test", "From: Ana <ana@a.test>", ""),
    ("ANA.Silva@a.test", "From: ana@A.test", ""),
    ("", "From: ana@a.test", ""),
    ("ana@a.test", "Subject: no author", ""),
    ("desk@a.test", "From: Desk <desk@a.test>", ""),
    ("boss@a.test", "From: boss@a.test", "ana@a.test"),
    ("ana@a.test", "From: boss@a.test", "ana@a.test"),
    ("ana@a.test", "From: boss@a.test\r\nSender: ana.silva@a.test", ""),
    ("ana@a.test", "From: ana@a.test, desk@a.test", "ana@a.test"),
    ("ana@a.test", "From: ana@a.test\r\nSender: desk@a.test", ""),
    ("rui@a.test", "From: ana@a.test", "SENDER_NOT_YOURS"),
    ("ana@a.test", "From: rui@a.test", "AUTHOR_NOT_YOURS"),
    ("ana@a.test", "From: ana@a.test, rui@a.test", "AUTHOR_NOT_YOURS"),
    ("ana@a.test", 'From: "ana@a.test" <rui@a.test>', "AUTHOR_NOT_YOURS"),
    ("ana@a.test", "From: ana@a.test (x) , \r\n <rui@a.test>", "AUTHOR_NOT_YOURS"),
    ("ana@a.test", "From: ana@a.test\r\nSender: rui@a.test", "SENDER_FIELD_NOT_YOURS"),
    ("boss@a.test", "From: boss@a.test\r\nSender: boss@a.test", "SENDER_FIELD_NOT_YOURS"),
    ("boss@a.test", "From: boss@a.test\r\nSender: desk@a.test", "SENDER_FIELD_NOT_YOURS"),
    ("ana@a.test", "From: ana@a.test\r\nFrom: rui@a.test", "MALFORMED_AUTHOR"),
    ("ana@a.test", "From: ana@a.test\r\nSender: ana@a.test, rui@a.test", "MALFORMED_AUTHOR"),
    ("ana@a.test", "From: Ana", "MALFORMED_AUTHOR"),
]


@pytest.mark.parametrize(("envelope", "fields", "outcome"), DECISIONS)
def test_decisions(envelope: str, fields: str, outcome: str) -> None:
    present = headers.read(f"{fields}\r\n\r\n".encode())
    if not outcome.isupper():
        assert sending.decide(ANA, envelope, present) == outcome
        return
    with pytest.raises((errors.NotAllowed, errors.Invalid)) as refused:
        sending.decide(ANA, envelope, present)
    assert refused.value.reason == outcome


READ = [
    (b"a@b.test", ("a@b.test",)),
    (b'"A, B" <a@b.test>, c@d.test', ("a@b.test", "c@d.test")),
    (b"=?utf-8?q?Jos=C3=A9?= <jose@b.test>", ("jose@b.test",)),
    ("José <josé@b.test>".encode(), ("josé@b.test",)),
    (b"a@b.test (c (d) e)", ("a@b.test",)),
    (b'"a@b.test (" <c@d.test>', ("c@d.test",)),
    (b"A\r\n <a@b.test>", ("a@b.test",)),
    (b'"q uoted"@b.test', ('"q uoted"@b.test',)),
]


@pytest.mark.parametrize(("value", "addresses"), READ)
def test_mailboxes(value: bytes, addresses: tuple[str, ...]) -> None:
    assert mailboxes.read(value) == addresses


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"Ana",
        b"a@b.test,",
        b"<a@b.test",
        b"a@b.test c@d.test",
        b"<a@b.test> <c@d.test>",
        b"<a@b.test>@c.test",
        b"undisclosed:;",
        b"team: a@b.test;",
        b"a@b.test (",
        b'"a@b.test',
        b"<@relay.test:a@b.test>",
        b"a@b.test\xff",
        b"(a@b.test) x <c@d.test> y",
    ],
)
def test_what_is_open_to_doubt_is_not_read(value: bytes) -> None:
    with pytest.raises(errors.Invalid):
        mailboxes.read(value)


@given(st.binary(max_size=80) | st.text(alphabet='ab@.<>(),"\\ :;', max_size=60).map(str.encode))
def test_any_octets_are_read_or_invalid(value: bytes) -> None:
    with contextlib.suppress(errors.Invalid):
        assert all("@" in found for found in mailboxes.read(value))
