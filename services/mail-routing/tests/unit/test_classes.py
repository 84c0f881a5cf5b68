"""Who may say of a mail by SMTP that it is urgent or bulk."""

from datetime import UTC, datetime

import pytest
from mail_routing.domain import classes, headers
from mail_routing.domain.message import Message, MessageClass, Origin

NORMAL, URGENT, BULK = MessageClass.NORMAL, MessageClass.URGENT, MessageClass.BULK


@pytest.mark.parametrize(
    ("header", "origin", "principal", "wanted"),
    [
        (b"Rossio-Class: Urgent ", Origin.SUBMISSION, "", URGENT),
        (b"rossio-class: bulk", Origin.SUBMISSION, "ana", BULK),
        (b"Rossio-Class: urgent", Origin.SUBMISSION, "ana", NORMAL),
        (b"Rossio-Class: urgent", Origin.SMTP, "", NORMAL),
        (b"Rossio-Class: nonsense", Origin.SUBMISSION, "", NORMAL),
        (b"Precedence: List", Origin.SMTP, "", BULK),
        (b"Rossio-Class: bulk", Origin.GRPC, "", NORMAL),
        (b"Precedence: bulk", Origin.DSN, "", NORMAL),
    ],
)
def test_a_class_is_believed_of_those_who_may_say_it(
    header: bytes, origin: Origin, principal: str, wanted: MessageClass
) -> None:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    mail = Message("m", "", "a@b.test", (), b"", 0, NORMAL, at, origin, principal=principal)
    assert classes.stated(mail, headers.read(header + b"\r\n\r\n")) is wanted
