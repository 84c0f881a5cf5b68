"""AUTH in the state machine: what is offered when, what is read, and what a refusal sounds like."""

import base64
from dataclasses import dataclass, field

import pytest
from mail_routing.application.authenticate import Bearer, Credentials, Password
from mail_routing.entrypoints.smtp import sasl
from mail_routing.entrypoints.smtp.actions import Accept, Authenticate, Close, Limits, Send, StartTls
from mail_routing.entrypoints.smtp.grammar import MailFrom, Reply
from mail_routing.entrypoints.smtp.session import Session


class Open:
    def sender(self, mail: MailFrom) -> Reply | None:
        return None

    def recipient(self, mail: MailFrom, address: str) -> Reply | None:
        return None


class Closed(Open):
    def sender(self, mail: MailFrom) -> Reply | None:
        return Reply(530, "5.7.0", "Authenticate first")


@dataclass
class Peer:
    """A client of the submission port, in clear until it starts TLS; `answer` None takes all credentials."""

    answer: Reply | None = None
    limits: Limits = field(default_factory=Limits)
    said: bytes = b""
    credentials: list[Credentials] = field(default_factory=list)
    mails: int = 0
    closed: bool = False

    def __post_init__(self) -> None:
        self.session = Session("mx.test", self.limits, Closed(), offer_tls=True, offer_auth=True)

    def send(self, data: bytes) -> "Peer":
        actions = self.session.receive(data)
        while actions:
            following = []
            for action in actions:
                match action:
                    case Send(octets):
                        self.said += octets
                    case Authenticate(credentials):
                        self.credentials.append(credentials)
                        session = self.session
                        following = session.refused(self.answer) if self.answer else session.authenticated(Open())
                    case Accept():
                        self.mails += 1
                        following = self.session.answered(Reply(250, "2.0.0", "taken"))
                    case StartTls():
                        self.session.secured()
                    case Close():
                        self.closed = True
            actions = following
        return self

    @property
    def last(self) -> str:
        return self.said.decode().split("\r\n")[-2]


def secure(**more: object) -> Peer:
    peer = Peer(**more)  # type: ignore[arg-type]
    peer.send(b"EHLO c.test\r\nSTARTTLS\r\n").send(b"EHLO c.test\r\n")
    return peer


def b64(text: str) -> bytes:
    return base64.b64encode(text.encode())


PLAIN = b64("\0ana@a.test\0secret")
BEARER = b64("n,a=ana@a.test,\x01host=mx.test\x01port=587\x01auth=Bearer e.y.J\x01\x01")


def test_it_is_offered_and_taken_under_tls_alone() -> None:
    peer = Peer().send(b"EHLO c.test\r\n")
    assert b"AUTH" not in peer.said
    assert peer.send(b"AUTH PLAIN " + PLAIN + b"\r\n").last.startswith("538 5.7.11")
    assert peer.credentials == []
    assert b"AUTH PLAIN OAUTHBEARER" in secure().said


@pytest.mark.parametrize("challenged", [False, True])
@pytest.mark.parametrize(
    ("mechanism", "response", "read"),
    [
        (b"PLAIN", PLAIN, Password("ana@a.test", "secret")),
        (b"plain", b64("ana@a.test\0ana@a.test\0sec ret"), Password("ana@a.test", "sec ret")),
        (b"OAUTHBEARER", BEARER, Bearer("e.y.J", "ana@a.test")),
        (b"OAUTHBEARER", b64("n,,\x01auth=Bearer e.y.J\x01\x01"), Bearer("e.y.J")),
    ],
)
def test_a_response_comes_with_the_command_or_after_it(
    challenged: bool, mechanism: bytes, response: bytes, read: Credentials
) -> None:
    peer = secure()
    assert peer.send(b"MAIL FROM:<a@a.test>\r\n").last.startswith("530 5.7.0")
    if challenged:
        assert peer.send(b"AUTH " + mechanism + b"\r\n").last == "334 "
        peer.send(response + b"\r\n")
    else:
        peer.send(b"AUTH " + mechanism + b" " + response + b"\r\n")
    assert peer.credentials == [read]
    assert peer.last.startswith("235 2.7.0")
    peer.send(b"MAIL FROM:<a@a.test> AUTH=<>\r\nRCPT TO:<b@b.test>\r\nDATA\r\nx: y\r\n.\r\n")
    assert peer.mails == 1
    assert peer.send(b"AUTH PLAIN " + PLAIN + b"\r\n").last.startswith("503 5.5.1")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (b"AUTH", "504 5.5.4"),
        (b"AUTH CRAM-MD5", "504 5.5.4"),
        (b"AUTH PLAIN !!!", "501 5.5.2"),
        (b"AUTH PLAIN =", "501 5.5.2"),
        (b"AUTH PLAIN " + b64("ana\0secret"), "501 5.5.2"),
        (b"AUTH PLAIN " + b64("\0ana\0sec\0ret"), "501 5.5.2"),
        (b"AUTH PLAIN " + b64("rui@a.test\0ana@a.test\0secret"), "535 5.7.8"),
        (b"AUTH PLAIN " + base64.b64encode(b"\0\xff\0\xff"), "501 5.5.2"),
        (b"AUTH OAUTHBEARER " + b64("n,,\x01auth=Basic e\x01\x01"), "501 5.5.2"),
        (b"AUTH OAUTHBEARER " + b64("y,,\x01auth=Bearer e\x01\x01"), "501 5.5.2"),
        (b"AUTH PLAIN\r\n*", "501 5.7.0"),
    ],
)
def test_what_cannot_be_read_is_refused_and_the_session_goes_on(command: bytes, code: str) -> None:
    peer = secure().send(command + b"\r\n")
    assert peer.last.startswith(code)
    assert peer.credentials == []
    assert peer.send(b"NOOP\r\n").last.startswith("250")


def test_refused_plain_hears_535_and_refused_oauthbearer_hears_why_first() -> None:
    plain = secure(answer=sasl.REFUSED).send(b"AUTH PLAIN " + PLAIN + b"\r\n")
    assert plain.last.startswith("535 5.7.8")
    bearer = secure(answer=sasl.REFUSED).send(b"AUTH OAUTHBEARER " + BEARER + b"\r\n")
    code, _, why = bearer.last.partition(" ")
    assert (code, base64.b64decode(why)) == ("334", b'{"status":"invalid_token"}')
    assert bearer.send(b"AQ==\r\n").last.startswith("535 5.7.8")
    later = secure(answer=Reply(454, "4.7.0", "later")).send(b"AUTH OAUTHBEARER " + BEARER + b"\r\n")
    assert later.last.startswith("454 4.7.0")


def test_guessing_ends_the_connection() -> None:
    peer = secure(answer=sasl.REFUSED, limits=Limits(mistakes=3))
    for _ in range(3):
        peer.send(b"AUTH PLAIN " + PLAIN + b"\r\n")
    assert peer.last.startswith("421")
    assert peer.closed


def test_a_long_token_fits_and_a_longer_one_does_not() -> None:
    long = b64("n,,\x01auth=Bearer " + "t" * 9000 + "\x01\x01")
    assert len(long) < 12_288
    assert secure().send(b"AUTH OAUTHBEARER " + long + b"\r\n").last.startswith("235")
    peer = secure().send(b"AUTH OAUTHBEARER " + long * 2 + b"\r\n")
    assert peer.last.startswith("500 5.5.2")
    assert peer.closed


def test_a_plain_port_does_not_know_auth() -> None:
    session = Session("mx.test", Limits(), Open())
    actions = session.receive(b"EHLO c.test\r\nAUTH PLAIN " + PLAIN + b"\r\n")
    assert isinstance(actions[-1], Send)
    assert actions[-1].data.startswith(b"502 5.5.1")
