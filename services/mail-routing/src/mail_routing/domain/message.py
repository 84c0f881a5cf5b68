"""A mail that the suite has taken responsibility for."""

from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from enum import Enum, StrEnum

from mail_routing.domain.headers import Headers


class MessageClass(Enum):
    """What chooses the stream and the workers of a mail."""

    NORMAL = "normal"
    URGENT = "urgent"
    BULK = "bulk"


class Origin(StrEnum):
    """The way a mail came in."""

    SMTP = "smtp"
    SUBMISSION = "submission"
    GRPC = "grpc"
    DSN = "dsn"

    @property
    def trusted(self) -> bool:
        """We know that the sender is who they say: authenticated, of a trusted network, or ourselves."""
        return self is not Origin.SMTP

    @property
    def unique(self) -> bool:
        """Mails have ids of their own, but for those that clients hand in again after a while (domain/sameness.py).

        Over gRPC, and of what we report, the same may come again at any time.
        """
        return self in {Origin.SMTP, Origin.SUBMISSION}


@dataclass(frozen=True, slots=True)
class Recipient:
    """One forward path as the client gave it; `original` and `notify` as in RFC 3461."""

    address: str
    original: str = ""
    notify: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BlobContent:
    """The place in the blob store where a large mail lies."""

    ref: str


@dataclass(frozen=True, slots=True)
class Message:
    """An accepted mail: envelope, content (CRLF line ends, or the place where it lies), where it came from."""

    message_id: str
    entity_id: str  # of the sender; empty: from outside
    sender: str  # reverse path; empty: the null sender
    recipients: tuple[Recipient, ...]
    content: bytes | BlobContent
    size: int
    message_class: MessageClass
    accepted_at: datetime
    origin: Origin
    client: str = ""
    smtputf8: bool = False
    principal: str = ""
    envelope_id: str = ""
    dsn_return: str = ""
    require_tls: bool = False  # next hops get it over verified TLS or not at all
    protocol: str = ""  # how it came in (RFC 3848); empty: not known
    internet_message_id: str = ""  # its Message-ID, canonical; empty: none that can be kept

    @property
    def from_entity(self) -> str:
        """The sender's entity, where the sender is known; who only names an address of ours is from outside."""
        return self.entity_id if self.origin.trusted else ""


def sound(content: bytes | bytearray) -> bool:
    """Whether every CR and LF of it stands in a CR LF, and no octet is NUL (RFC 5321 section 2.3.8)."""
    ends = content.count(b"\r\n")
    return ends == content.count(b"\n") and ends == content.count(b"\r") and b"\0" not in content


def transmission(*, extended: bool, secure: bool, authenticated: bool, smtputf8: bool) -> str:
    """The protocol that a mail came by, as it is named in Received (RFC 3848, RFC 6531 section 4.3)."""
    if not extended:
        return "SMTP"
    return ("UTF8SMTP" if smtputf8 else "ESMTP") + "S" * secure + "A" * authenticated


def received(message: Message, hostname: str, traceparent: str = "") -> bytes:
    """The Received field of this hop (RFC 5321 section 4.4), with the trace (W3C) as a comment."""
    protocol = message.protocol or ("UTF8SMTP" if message.smtputf8 else "ESMTP")
    came = f"from {message.client}\r\n\tby {hostname} with {protocol}" if message.client else f"by {hostname}"
    only = f"\r\n\tfor <{message.recipients[0].address}>" if len(message.recipients) == 1 else ""
    trace = f"\r\n\t(traceparent={traceparent})" if traceparent else ""
    stamp = format_datetime(message.accepted_at)
    return f"Received: {came} id {message.message_id}{only}{trace};\r\n\t{stamp}\r\n".encode()


def added_fields(message: Message, present: Headers, hostname: str, traceparent: str = "") -> bytes:
    """What this hop puts before the content: Received, and the Date and Message-ID that an author left out.

    What is handed in by its author is ours to complete, what passes through is not (RFC 6409 section 8).
    """
    fields = received(message, hostname, traceparent)
    if message.origin.trusted:
        if not present.has("date"):
            fields += f"Date: {format_datetime(message.accepted_at)}\r\n".encode()
        if not present.has("message-id"):
            fields += f"Message-ID: <{message.internet_message_id or named_by_us(message, hostname)}>\r\n".encode()
    return fields


def named_by_us(message: Message, hostname: str) -> str:
    """The Message-ID that a mail of ours gets where its author left it out."""
    return f"{message.message_id}@{hostname}"


def hops(present: Headers) -> int:
    """How many servers the mail has passed (RFC 5321 section 6.3)."""
    return len(present.all("received"))


def delivered_to(present: Headers) -> frozenset[str]:
    """The mailboxes that have had this mail already, by the mark that each delivery leaves on it."""
    return frozenset(value.decode("utf-8", "replace").strip().lower() for value in present.all("delivered-to"))
