import json
from datetime import UTC, datetime

import pytest
from errors import Invalid, NotAllowed
from notification.adapters.sms import Receipt, read_receipt
from testkit.sms_provider import SECRET, sign

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
BODY = json.dumps({"id": "sms-1", "reference": "n1.sms", "status": "delivered"}).encode()


def read(body: bytes = BODY, *, stamp: str = STAMP, signature: str | None = None) -> Receipt:
    signature = sign(SECRET, stamp, body) if signature is None else signature
    return read_receipt(body, timestamp=stamp, signature=signature, secret=SECRET, now=NOW)


def test_a_receipt_that_the_provider_signed_is_read():
    assert read() == Receipt("n1.sms", delivered=True)
    assert read(BODY.replace(b"delivered", b"failed")).delivered is False
    assert read(BODY.replace(b"delivered", b"buffered")).delivered is None


@pytest.mark.parametrize(
    "forged",
    [
        {"signature": sign("another secret", STAMP, BODY)},
        {"signature": sign(SECRET, STAMP, BODY + b" ")},
        {"signature": ""},
        {"signature": "é"},
        {"stamp": str(int(STAMP) - 301)},
        {"stamp": str(int(STAMP) + 301)},
        {"stamp": str(int(STAMP) + 1), "signature": sign(SECRET, STAMP, BODY)},
    ],
)
def test_what_somebody_else_made_or_kept_is_refused(forged):
    with pytest.raises(NotAllowed):
        read(**forged)


@pytest.mark.parametrize(
    "unreadable",
    [
        {"body": b"{"},
        {"body": b"[]"},
        {"body": b"\xff"},
        {"body": b'{"status": "delivered"}'},
        {"body": b'{"reference": "a", "status": []}'},
        {"stamp": "soon"},
        {"stamp": "²"},
    ],
)
def test_what_is_signed_and_cannot_be_read_is_said_to_be_so(unreadable):
    with pytest.raises(Invalid):
        read(**unreadable)
