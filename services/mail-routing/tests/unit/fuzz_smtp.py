"""What has to hold for any octets that a client may send; `make fuzz-smtp` looks for those for which it does not.

The suite runs this on the corpus that is kept beside (`corpus/smtp`), and on what hypothesis makes up.
"""

import importlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from mail_routing.application.authenticate import Password
from mail_routing.domain.message import sound
from mail_routing.entrypoints.smtp import sasl
from mail_routing.entrypoints.smtp.actions import Accept, Authenticate, Close, Limits, Send, StartTls
from mail_routing.entrypoints.smtp.grammar import MailFrom, Reply
from mail_routing.entrypoints.smtp.session import Session

LIMITS = Limits(mail_octets=4096, command_octets=512, recipients=5, mistakes=20)
# What one connection may hold: a mail, a line, and what came with one read.
_MOST_HELD = 4096 + sasl.LONGEST_LINE + 4096


class Judge:
    def sender(self, mail: MailFrom) -> Reply | None:
        return None

    def recipient(self, mail: MailFrom, address: str) -> Reply | None:
        return Reply(550, "5.1.1", "Unknown") if address.startswith("unknown@") else None


@dataclass
class Listener:
    """Carries out what the session says and writes down what can be seen from outside."""

    limits: Limits = LIMITS
    said: bytearray = field(default_factory=bytearray)
    mails: list[tuple[str, tuple[str, ...], bytes]] = field(default_factory=list)
    closed: bool = False

    def __post_init__(self) -> None:
        self.session = Session("mx.test", self.limits, Judge(), offer_tls=True, offer_auth=True)

    def hear(self, data: bytes) -> None:
        actions = self.session.receive(data)
        while actions and not self.closed:
            following = []
            for action in actions:
                match action:
                    case Send(octets):
                        self.said += octets
                    case Accept(transaction):
                        assert transaction.recipients, "a mail for nobody"
                        assert sound(transaction.content), "a bare CR, a bare LF or a NUL came through"
                        assert len(transaction.content) <= LIMITS.mail_octets
                        to = tuple(transaction.recipients)
                        self.mails.append((transaction.mail.sender, to, bytes(transaction.content)))
                        following = self.session.answered(Reply(250, "2.0.0", "taken"))
                    case Authenticate(credentials):
                        assert self.session.secure, "credentials in clear"
                        right = isinstance(credentials, Password) and credentials.password == "right"
                        refuse, admit = self.session.refused, self.session.authenticated
                        following = admit(Judge()) if right else refuse(sasl.REFUSED)
                    case StartTls():
                        self.session.secured()
                    case Close():
                        self.closed = True
            actions = following
        assert self.session.buffered <= _MOST_HELD


def replies(said: bytes) -> Iterator[int]:
    """The codes; each line is one of RFC 5321 section 4.2."""
    assert said.endswith(b"\r\n") or not said
    for line in said.split(b"\r\n")[:-1]:
        assert line[:3].isdigit() and line[3:4] in {b" ", b"-"} and len(line) <= 510, line  # noqa: PT018
        yield int(line[:3])


def one_input(data: bytes) -> None:
    """The first octet says how the rest is cut; after STARTTLS what follows in one read is lost by intention."""
    step = data[0] % 7 + 1 if data else 1
    stream = data[1:]
    pieces = Listener()
    for at in range(0, len(stream), step):
        if not pieces.closed:
            pieces.hear(stream[at : at + step])
    assert all(200 <= code < 600 for code in replies(bytes(pieces.said)))
    if b"STARTTLS" in stream.upper():
        return
    whole = Listener()
    whole.hear(stream)
    assert (whole.said, whole.mails, whole.closed) == (pieces.said, pieces.mails, pieces.closed), "cutting mattered"


if __name__ == "__main__":
    atheris = importlib.import_module("atheris")  # `make fuzz-smtp` installs it
    atheris.instrument_all()
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
