"""What a session and the world around it have to say to each other: limits, a mail, the judge, and actions."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from mail_routing.application.authenticate import Credentials
from mail_routing.domain.message import Recipient
from mail_routing.entrypoints.smtp.grammar import MailFrom, Reply


@dataclass(frozen=True, slots=True)
class Limits:
    """What one connection may ask for: octets of a mail and of a command line, recipients of a mail, recipients
    that were refused, mistakes, mails.
    """

    mail_octets: int = 35 * 1024 * 1024
    command_octets: int = 2048
    recipients: int = 1000
    refused_recipients: int = 100
    mistakes: int = 10
    mails: int = 1000


@dataclass(slots=True)
class Transaction:
    """One mail between MAIL and the end of its data; recipients by address, in the order they came."""

    mail: MailFrom
    recipients: dict[str, Recipient] = field(default_factory=dict)
    content: bytearray = field(default_factory=bytearray)
    chunked: bool = False


class Judge(Protocol):
    """Says at once, from memory, why a path is not taken; None: it is."""

    def sender(self, mail: MailFrom) -> Reply | None: ...
    def recipient(self, mail: MailFrom, address: str) -> Reply | None: ...


@dataclass(frozen=True, slots=True)
class Send:
    """Write these octets."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Accept:
    """Take the mail in, then call `Session.answered` with the reply."""

    transaction: Transaction


@dataclass(frozen=True, slots=True)
class StartTls:
    """Turn the connection to TLS, then call `Session.secured`."""


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Look at the credentials, then call `Session.authenticated` or `Session.refused`."""

    credentials: Credentials


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection once everything is written."""


Action = Send | Accept | StartTls | Authenticate | Close


@lru_cache(maxsize=256)
def said(reply: Reply) -> Send:
    """Most replies are a few that are said all the time."""
    return Send(reply.encode())
