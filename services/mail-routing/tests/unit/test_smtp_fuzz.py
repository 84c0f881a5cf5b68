"""The SMTP session under whatever comes: kept inputs, made-up ones, and dialogues whose every reply is foreseen."""

import base64
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from .fuzz_smtp import LIMITS, Listener, one_input, replies  # type: ignore[import-not-found]

CORPUS = sorted((Path(__file__).parent / "corpus" / "smtp").iterdir())


def test_there_is_a_corpus() -> None:
    assert len(CORPUS) >= 50


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name[:12])
def test_what_was_found_before(path: Path) -> None:
    one_input(path.read_bytes())


WORDS = [
    b"EHLO a.test\r\n",
    b"HELO a.test\r\n",
    b"MAIL FROM:<a@a.test>\r\n",
    b"MAIL FROM:<a@a.test> SIZE=9 RET=HDRS\r\n",
    b"RCPT TO:<b@b.test>\r\n",
    b"RCPT TO:<unknown@b.test> NOTIFY=NEVER\r\n",
    b"DATA\r\n",
    b".\r\n",
    b"\r\n.\r\n",
    b"..\r\n",
    b"BDAT 5\r\n",
    b"BDAT 3 LAST\r\n",
    b"BDAT 0 LAST\r\n",
    b"AUTH PLAIN " + base64.b64encode(b"\0a\0right") + b"\r\n",
    b"AUTH OAUTHBEARER\r\n",
    b"STARTTLS\r\n",
    b"RSET\r\n",
    b"QUIT\r\n",
    b"\r",
    b"\n",
    b"\0",
    b"x: y\r\n",
    b"x",
]


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=1), st.lists(st.sampled_from(WORDS) | st.binary(max_size=6), max_size=40))
def test_words_of_smtp_in_any_order(first: bytes, words: list[bytes]) -> None:
    one_input(first + b"".join(words))


PATIENT = replace(LIMITS, mistakes=10_000, refused_recipients=10_000, mails=10_000)
LINES = st.lists(st.sampled_from([b"", b".", b"..", b".x", b"x: y", b"\xc3\xa9", b"a" * 60]), max_size=8)


class Dialogue(RuleBasedStateMachine):
    """A client that knows what each of its commands has to be answered with, and which mails must have come."""

    def __init__(self) -> None:
        super().__init__()
        self.server = Listener(PATIENT)
        self.heard = 0
        self.hello = self.tls = self.known = self.chunked = False
        self.transaction: tuple[str, list[str]] | None = None
        self.chunks = b""
        self.mails: list[tuple[str, tuple[str, ...], bytes]] = []

    @initialize()
    def begin(self) -> None:
        self.ehlo()

    def say(self, data: bytes, *codes: int) -> None:
        self.server.hear(data)
        said = bytes(self.server.said[self.heard :])
        self.heard = len(self.server.said)
        last = [int(line[:3]) for line in said.split(b"\r\n")[:-1] if line[3:4] == b" "]
        assert last == list(codes), (data, said)

    def _forget(self) -> None:
        self.transaction, self.chunked, self.chunks = None, False, b""

    @rule()
    def ehlo(self) -> None:
        self.say(b"EHLO c.test\r\n", 250)
        self.hello = True
        self._forget()

    @rule(sender=st.sampled_from(["", "a@a.test"]))
    def mail(self, sender: str) -> None:
        fits = self.hello and self.transaction is None
        self.say(f"MAIL FROM:<{sender}>\r\n".encode(), 250 if fits else 503)
        if fits:
            self.transaction = (sender, [])

    @rule(to=st.sampled_from(["b@b.test", "c@b.test", "unknown@b.test"]))
    def rcpt(self, to: str) -> None:
        if self.transaction is None or self.chunked:
            self.say(f"RCPT TO:<{to}>\r\n".encode(), 503)
        elif to.startswith("unknown"):
            self.say(f"RCPT TO:<{to}>\r\n".encode(), 550)
        else:
            self.say(f"RCPT TO:<{to}>\r\n".encode(), 250)
            if to not in self.transaction[1]:
                self.transaction[1].append(to)

    @precondition(lambda self: self.transaction and self.transaction[1] and not self.chunked)
    @rule(lines=LINES, spoil=st.sampled_from([b"", b"", b"", b"\n", b"\r", b"\0"]))
    def data(self, lines: list[bytes], spoil: bytes) -> None:
        assert self.transaction is not None
        stuffed = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines)
        bad = b"a" + spoil + b"b\r\n" if spoil else b""
        sender, to = self.transaction
        self.say(b"DATA\r\n" + stuffed + bad + b".\r\n", 354, 550 if spoil else 250)
        if not spoil:
            self.mails.append((sender, tuple(to), b"".join(line + b"\r\n" for line in lines)))
        self._forget()

    @precondition(lambda self: self.transaction and self.transaction[1])
    @rule(chunk=st.sampled_from([b"", b"x: y\r\n", b"\r\n.\r\n", b".\r\n"]), last=st.booleans())
    def bdat(self, chunk: bytes, last: bool) -> None:
        assert self.transaction is not None
        sender, to = self.transaction
        self.say(b"BDAT %d%s\r\n%s" % (len(chunk), b" LAST" if last else b"", chunk), 250)
        self.chunked, self.chunks = True, self.chunks + chunk
        if last:
            self.mails.append((sender, tuple(to), self.chunks))
            self._forget()

    @precondition(lambda self: not self.tls)
    @rule(injected=st.sampled_from([b"", b"NOOP\r\n", b"MAIL FROM:<evil@x.test>\r\n"]))
    def starttls(self, injected: bytes) -> None:
        self.say(b"STARTTLS\r\n" + injected, 220)
        self.tls, self.hello = True, False
        self._forget()

    @rule(right=st.booleans())
    def auth(self, right: bool) -> None:
        response = base64.b64encode(b"\0a\0" + (b"right" if right else b"wrong"))
        code = 235 if right else 535
        if not self.tls:
            code = 538
        elif not self.hello or self.known or self.transaction is not None:
            code = 503
        self.say(b"AUTH PLAIN " + response + b"\r\n", code)
        self.known = self.known or code == 235

    @rule(line=st.sampled_from([b"WHAT", b"DATA x", b"MAIL", b"\xff", b"BDAT x"]))
    def nonsense(self, line: bytes) -> None:
        code = {b"WHAT": 500, b"\xff": 500}.get(line, 501)
        self.say(line + b"\r\n", 503 if line == b"MAIL" and (not self.hello or self.transaction) else code)

    @rule()
    def rset(self) -> None:
        self.say(b"RSET\r\n", 250)
        self._forget()

    @invariant()
    def the_mails_are_those_that_were_sent(self) -> None:
        assert self.server.mails == self.mails
        assert not self.server.closed
        assert list(replies(bytes(self.server.said)))


TestDialogue = Dialogue.TestCase
TestDialogue.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
