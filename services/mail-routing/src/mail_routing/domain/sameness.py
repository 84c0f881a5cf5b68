"""Which mails by SMTP are one: a client that never heard our 250 hands the same mail in again (RFC 1047).

What bears a Message-ID and a Date, and comes with the same octets, envelope and principal, gets the same id: its author
has said that it is the same. Anything else is a mail of its own, however equal.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from mail_routing.domain import headers
from mail_routing.domain.message import Message, Recipient

_DATE = headers.Finder("date")
_BEFORE, _AFTER = timedelta(days=6), timedelta(days=1)
"""How far the Date of a mail that may come again is from now at most: clients try for five days."""
_FRESH = timedelta(seconds=10)
_FIXED = 0xF << 76 | 0b11 << 62
"""Version and variant in a UUID (RFC 9562)."""


def same_id(
    envelope: Sequence[str],
    recipients: Sequence[Recipient],
    content: bytes | bytearray,
    internet_message_id: str,
    now: datetime,
) -> str | None:
    """The id that the same mail gets again, of the form of a UUIDv7; None for one that is on its own.

    `envelope` is what else the client said that makes it another mail, such as the reverse path;
    `internet_message_id` is the one of the content, "" without.
    """
    date = _DATE(content) if internet_message_id else None
    if date is None:
        return None
    try:
        at = parsedate_to_datetime(date.decode("ascii", "replace"))
        if not now - _BEFORE < at < now + _AFTER:
            return None
    except (TypeError, ValueError, OverflowError):  # no date, or one without a zone
        return None
    said = repr((*envelope, [(each.address, each.original, each.notify) for each in recipients]))
    digest = hashlib.sha256(said.encode("utf-8", "surrogatepass"))
    digest.update(content)
    tail = int.from_bytes(digest.digest()[:10]) & ~_FIXED | 0x7 << 76 | 0b10 << 62
    text = f"{int(at.timestamp()) * 1000 << 80 | tail:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def begun_at(message: Message) -> datetime:
    """The time in the id of a mail by SMTP: when it was written, or came in; the same whenever it comes again."""
    try:
        seconds = int(message.message_id.replace("-", "")[:12], 16) / 1000
        return datetime.fromtimestamp(seconds, message.accepted_at.tzinfo)
    except (ValueError, OverflowError, OSError):
        return message.accepted_at


def may_have_come_before(message: Message) -> bool:
    """Whether it was written so long before it came in that a client may have tried already."""
    return abs(message.accepted_at - begun_at(message)) > _FRESH


class Lately:
    """The ids of the last mails that were handled here, as many as a process has in so short a time."""

    _MOST = 16_384

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._ids

    def add(self, message_id: str) -> None:
        self._ids[message_id] = None
        if len(self._ids) > self._MOST:
            del self._ids[next(iter(self._ids))]
