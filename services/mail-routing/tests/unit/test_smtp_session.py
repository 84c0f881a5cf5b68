"""The SMTP state machine: what a client hears, and which bytes are taken for a mail."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mail_routing.entrypoints.smtp.actions import Accept, Close, Limits, Send, StartTls
from mail_routing.entrypoints.smtp.grammar import MailFrom, Reply
from mail_routing.entrypoints.smtp.session import Session


class Open:
    """Takes every path but those of `unknown@`."""

    def sender(self, mail: MailFrom) -> Reply | None:
        return None

    def recipient(self, mail: MailFrom, address: str) -> Reply | None:
        return Reply(550, "5.1.1", "Unknown") if address.startswith("unknown@") else None


@dataclass
class Peer:
    """Carries out what the session says, taking in every mail at once."""

    limits: Limits = field(default_factory=Limits)
    tls: bool = False
    said: bytes = b""
    mails: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    closed: bool = False
    tls_started: int = 0

    def __post_init__(self) -> None:
        self.session = Session("mx.test", self.limits, Open(), offer_tls=self.tls)

    def send(self, data: bytes) -> "Peer":
        actions = self.session.receive(data)
        while actions:
            following = []
            for action in actions:
                match action:
                    case Send(octets):
                        self.said += octets
                    case Accept(transaction):
                        self.mails.append(
                            (transaction.mail.sender, list(transaction.recipients), bytes(transaction.content))
                        )
                        following = self.session.answered(Reply(250, "2.0.0", "taken"))
                    case StartTls():
                        self.tls_started += 1
                        self.session.secured()
                    case Close():
                        self.closed = True
            actions = following
        return self

    @property
    def codes(self) -> list[str]:
        """Code and enhanced status of each reply, in order."""
        lines = [line for line in self.said.decode().split("\r\n") if line and line[3] == " "]
        return [" ".join(line.split()[: 2 if line[4:5].isdigit() and line.count(".") >= 2 else 1]) for line in lines]


HELLO = b"EHLO client.test\r\n"
OPEN = HELLO + b"MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\n"


def mail(content: bytes) -> Peer:
    return Peer().send(OPEN + b"DATA\r\n" + content)


def test_a_mail_in_one_pipelined_write() -> None:
    peer = mail(b"Subject: x\r\n\r\nhello\r\n.\r\nQUIT\r\n")
    assert peer.mails == [("a@x.test", ["b@y.test"], b"Subject: x\r\n\r\nhello\r\n")]
    assert peer.codes == ["250", "250 2.1.0", "250 2.1.5", "354", "250 2.0.0", "221 2.0.0"]
    assert peer.closed


def test_ehlo_offers_what_we_do() -> None:
    said = Peer(tls=True).send(HELLO).said.decode()
    for word in ("PIPELINING", "SIZE 36700160", "8BITMIME", "SMTPUTF8", "CHUNKING", "ENHANCEDSTATUSCODES", "STARTTLS"):
        assert f"250-{word}\r\n" in said or f"250 {word}\r\n" in said
    assert "STARTTLS" not in Peer().send(HELLO).said.decode()


DIALOGUES = (
    OPEN + b"DATA\r\n.\r\nQUIT\r\n",
    OPEN + b"DATA\r\n..\r\n...\r\nx\r\n.x\r\n.\r\nNOOP\r\n",
    OPEN
    + b"DATA\r\nbare\nlf\r\n.\r\nRSET\r\nMAIL FROM:<>\r\nRCPT TO:<c@y.test>\r\n"
    + b"BDAT 5\r\nab\r\nc\r\nBDAT 4 LAST\r\n\r\nzQ",
    OPEN + b"BDAT 6\r\na\r\n.\r\nBDAT 2 LAST\r\n\r\nRCPT TO:<late@y.test>\r\nNOOP\r\n",
    HELLO
    + b"MAIL FROM:<a@x.test> SIZE=999\r\nBDAT 3 LAST\r\nabcNOOP\r\nMAIL FROM:<a@x.test>\r\nHELO again\r\nQUIT\r\n",
    OPEN + b"DATA\r\nfirst\r\n.\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nsecond\r\n.\r\nQUIT\r\n",
    HELLO + b"NOOP\nMAIL FROM:<a@x.test>\r\n",
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(DIALOGUES), st.lists(st.integers(min_value=1, max_value=200), max_size=30))
def test_cutting_the_stream_anywhere_changes_nothing(stream: bytes, cuts: list[int]) -> None:
    whole = Peer().send(stream)
    pieces = Peer()
    position = 0
    for cut in [*cuts, len(stream)]:
        if not pieces.closed:
            pieces.send(stream[position : position + cut])
        position += cut
    assert (pieces.said, pieces.mails, pieces.closed) == (whole.said, whole.mails, whole.closed)


@pytest.mark.parametrize("stream", DIALOGUES)
def test_octet_by_octet_too(stream: bytes) -> None:
    whole, single = Peer().send(stream), Peer()
    for octet in stream:
        if not single.closed:
            single.send(bytes([octet]))
    assert (single.said, single.mails) == (whole.said, whole.mails)


SMUGGLED = b"MAIL FROM:<evil@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nsmuggled\r\n.\r\n"


@pytest.mark.parametrize(
    "end",
    [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n.\r", b"\r\n\0.\r\n", b"\r\r\n.\r\r\n"],
    ids=repr,
)
def test_no_other_line_end_ends_the_data(end: bytes) -> None:
    peer = mail(b"Subject: x\r\n\r\nhello" + end + SMUGGLED)
    assert peer.mails == []  # one mail with bad line ends, refused whole; nothing of it was a command
    assert peer.codes == ["250", "250 2.1.0", "250 2.1.5", "354", "550 5.6.0"]


@pytest.mark.parametrize("octets", [b"\n", b"\r", b"\0"], ids=repr)
@pytest.mark.parametrize("way", ["data", "bdat"])
def test_bare_line_ends_and_nul_are_refused_in_content(octets: bytes, way: str) -> None:
    content = b"a" + octets + b"b\r\n"
    tail = b"DATA\r\n" + content + b".\r\n" if way == "data" else b"BDAT %d LAST\r\n" % len(content) + content
    peer = Peer().send(OPEN + tail)
    assert peer.mails == []
    assert peer.codes[-1] == "550 5.6.0"
    assert not peer.closed


@pytest.mark.parametrize("line", [b"NOOP\n", b"NO\rOP\r\n", b"NOOP \0\r\n", b"NOOP\r\r\n", b"\n"], ids=repr)
def test_bare_line_ends_and_nul_in_commands_end_the_connection(line: bytes) -> None:
    peer = Peer().send(HELLO + line + b"MAIL FROM:<a@x.test>\r\n")
    assert peer.codes == ["250", "521 5.5.2"]
    assert peer.closed


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([b"", b".", b"..", b".x", b"x.", b"a" * 70, b"\xff"]), max_size=12))
def test_dot_stuffing_is_byte_exact(lines: list[bytes]) -> None:
    content = b"".join(line + b"\r\n" for line in lines)
    stuffed = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines)
    assert mail(stuffed + b".\r\n").mails[0][2] == content
    chunked = Peer().send(OPEN + b"BDAT %d LAST\r\n" % len(content) + content)
    assert chunked.mails[0][2] == content


def test_a_declared_size_that_is_too_large_is_refused_before_the_body() -> None:
    peer = Peer(Limits(mail_octets=100)).send(HELLO + b"MAIL FROM:<a@x.test> SIZE=101\r\nRCPT TO:<b@y.test>\r\n")
    assert peer.codes == ["250", "552 5.3.4", "503 5.5.1"]


def test_data_that_grow_too_large_are_read_to_their_end_refused_and_not_kept() -> None:
    peer = Peer(Limits(mail_octets=1000)).send(OPEN + b"DATA\r\n")
    for _ in range(100):
        peer.send(b"0123456789abcdef" * 100 + b"\r\n")
        assert peer.session.buffered <= 1000 + 5
    peer.send(b".\r\nNOOP\r\n")
    assert peer.codes[-2:] == ["552 5.3.4", "250 2.0.0"]
    assert peer.mails == []


def test_the_largest_mail_is_taken_and_one_octet_more_is_not() -> None:
    content = b"x" * 98 + b"\r\n"
    for limit, code in ((100, "250 2.0.0"), (99, "552 5.3.4")):
        data = Peer(Limits(mail_octets=limit)).send(OPEN + b"DATA\r\n" + content + b".\r\n")
        assert data.codes[-1] == code
    assert Peer(Limits(mail_octets=100)).send(OPEN + b"BDAT 100 LAST\r\n" + content).codes[-1] == "250 2.0.0"
    assert (
        Peer(Limits(mail_octets=100))
        .send(OPEN + b"BDAT 60\r\n" + b"x" * 60 + b"BDAT 60 LAST\r\n" + b"x" * 60)
        .codes[-1]
        == "552 5.3.4"
    )
    huge = Peer(Limits(mail_octets=100)).send(OPEN + b"BDAT 999999999999 LAST\r\n")
    assert (huge.codes[-1], huge.closed) == ("552 5.3.4", True)


def test_starttls_forgets_what_was_said_in_clear() -> None:
    peer = Peer(tls=True).send(OPEN + b"STARTTLS\r\nMAIL FROM:<injected@x.test>\r\n")
    assert peer.tls_started == 1
    peer.send(b"MAIL FROM:<a@x.test>\r\n")  # not known any more: EHLO comes first
    assert peer.codes[3:] == ["220 2.0.0", "503 5.5.1"], "one answer, since what was slipped in is not read"
    peer.send(b"EHLO again.test\r\nSTARTTLS\r\n")
    assert peer.codes[-2:] == ["250", "502 5.5.1"]


def test_recipients_are_judged_counted_and_kept_once() -> None:
    peer = Peer(Limits(recipients=2)).send(
        OPEN + b"RCPT TO:<unknown@y.test>\r\nRCPT TO:<b@Y.test>\r\nRCPT TO:<c@y.test>\r\nRCPT TO:<d@y.test>\r\n"
        b"DATA\r\nx\r\n.\r\n"
    )
    assert peer.codes[3:7] == ["550 5.1.1", "250 2.1.5", "250 2.1.5", "452 4.5.3"]
    assert peer.mails[0][1] == ["b@y.test", "c@y.test"]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (b"MAIL FROM:<a@x.test", "501 5.5.4"),
        (b"MAIL FROM:a@x.test", "501 5.5.4"),
        (b"MAIL TO:<a@x.test>", "501 5.5.4"),
        (b"MAIL FROM:<a@@x.test>", "553 5.1.7"),
        (b"MAIL FROM:<a@x..test>", "553 5.1.7"),
        (b"MAIL FROM:<" + b"a" * 65 + b"@x.test>", "553 5.1.7"),
        ("MAIL FROM:<joão@x.test>".encode(), "553 5.6.7"),
        ("MAIL FROM:<joão@x.test> SMTPUTF8".encode(), "250 2.1.0"),
        (b"MAIL FROM:<> BODY=8BITMIME SIZE=10", "250 2.1.0"),
        (b"MAIL FROM: <@relay.test:a@x.test>", "250 2.1.0"),
        (b'MAIL FROM:<"a b"@x.test>', "250 2.1.0"),
        (b"MAIL FROM:<a@[192.0.2.1]>", "250 2.1.0"),
        (b"MAIL FROM:<a@x.test> SIZE=many", "501 5.5.4"),
        (b"MAIL FROM:<a@x.test> SIZE=1 SIZE=2", "501 5.5.4"),
        (b"MAIL FROM:<a@x.test> BODY=BINARYMIME", "501 5.5.4"),
        (b"MAIL FROM:<a@x.test> FUTURE=1", "555 5.5.4"),
        (b"EHLO bad(name)", "501 5.5.4"),
        (b"BDAT x", "501 5.5.4"),
        (b"MAIL FROM:<a@x.test> RET=HDRS ENVID=QQ314+2B159", "250 2.1.0"),
        (b"MAIL FROM:<a@x.test> RET=ALL", "501 5.5.4"),
        (b"MAIL FROM:<a@x.test> ENVID=", "501 5.5.4"),
        (b"MAIL FROM:<a@x.test> ENVID=a+0Db", "501 5.5.4"),
        (b"MAIL FROM:<a@x.test> ENVID=a+2", "501 5.5.4"),
        (b"MAIL FROM:<a@x.test> AUTH=someone+3Delse", "250 2.1.0"),
        (b"WHAT", "500 5.5.1"),
        (b"DATA", "503 5.5.1"),
        (b"VRFY someone", "252 2.1.5"),
        (b"\xff\xfe", "500 5.5.2"),
    ],
)
def test_grammar(command: bytes, code: str) -> None:
    assert Peer().send(HELLO + command + b"\r\n").codes[-1] == code


def test_postmaster_needs_no_domain() -> None:
    peer = Peer().send(HELLO + b"MAIL FROM:<>\r\nRCPT TO:<Postmaster>\r\nDATA\r\nx\r\n.\r\n")
    assert peer.mails[0][1] == ["postmaster@mx.test"]


DSN = [
    (b"", ("", ())),
    (b" NOTIFY=SUCCESS,DELAY ORCPT=rfc822;Bob+2Btag@Y.test", ("Bob+tag@Y.test", ("SUCCESS", "DELAY"))),
    (b" notify=never", ("", ("NEVER",))),
    (rb" ORCPT=utf-8;jos\x{E9}@y.test", ("josé@y.test", ())),
    (b" ORCPT=x400;/PN=Bob", None),
    (b" ORCPT=x400;/PN+3DBob", ("x400;/PN=Bob", ())),
    (b" NOTIFY=NEVER,SUCCESS", None),
    (b" NOTIFY=", None),
    (b" ORCPT=bob", None),
    (b" ORCPT=rfc822;a+0A+0Db", None),
]


@pytest.mark.parametrize(("parameters", "kept"), DSN)
def test_dsn_parameters_are_kept(parameters: bytes, kept: tuple[str, tuple[str, ...]] | None) -> None:
    session = Peer().send(HELLO + b"MAIL FROM:<a@x.test> RET=HDRS ENVID=QQ314+2B159\r\n").session
    actions = session.receive(b"RCPT TO:<b@y.test>" + parameters + b"\r\nDATA\r\nx: y\r\n.\r\n")
    taken = [action.transaction for action in actions if isinstance(action, Accept)]
    if kept is None:
        assert taken == []
        return
    (transaction,) = taken
    assert (transaction.mail.envelope_id, transaction.mail.returned) == ("QQ314+159", "HDRS")
    (recipient,) = transaction.recipients.values()
    assert (recipient.address, (recipient.original, recipient.notify)) == ("b@y.test", kept)


def test_one_connection_has_so_many_mails_and_refused_recipients() -> None:
    again = b"MAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\nx: y\r\n.\r\n"
    peer = Peer(Limits(mails=2)).send(HELLO + again * 3)
    assert (len(peer.mails), peer.codes[-1], peer.closed) == (2, "421 4.7.0", True)
    guessing = Peer(Limits(refused_recipients=3)).send(OPEN + b"RCPT TO:<unknown@y.test>\r\n" * 3)
    assert (guessing.codes[-2:], guessing.closed) == (["550 5.1.1", "421 4.7.0"], True)


def test_too_many_mistakes_end_the_connection() -> None:
    peer = Peer(Limits(mistakes=3)).send(HELLO + b"A\r\nB\r\nC\r\nNOOP\r\n")
    assert peer.codes == ["250", "500 5.5.1", "500 5.5.1", "500 5.5.1", "421 4.7.0"]
    assert peer.closed


def test_a_line_without_end_is_not_kept_for_ever() -> None:
    peer = Peer(Limits(command_octets=100))
    for _ in range(20):
        if not peer.closed:
            peer.send(b"x" * 10)
    assert peer.codes == ["500 5.5.2"]
    assert peer.closed


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_octets_get_an_answer_and_never_an_exception(octets: bytes) -> None:
    Peer().send(octets)
    Peer().send(OPEN + octets)
    Peer().send(OPEN + b"DATA\r\n" + octets + b"\r\n.\r\n" + octets)
