"""SMTP out (RFC 5321): pooled connections a next hop, pipelined commands, back-off while a hop is away.

Opportunistic TLS, authentication and MX look-up come with the connectors.
"""

import asyncio
import contextlib
import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from mail_routing.domain.delivery import Result, State

_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?=\s)")
_LINE = re.compile(rb"(\d{3})([ -])(.*)\r?\n", re.DOTALL)
_RECIPIENTS_A_TRANSACTION = 100
_LINES_A_REPLY = 200


class HopTrouble(Exception):
    """The connection is of no further use; the text says why, for the people who look at the queue."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply of the other side."""

    code: int
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.code} {' '.join(self.lines)}"[:500]

    def result(self) -> Result:
        """What it means for a recipient."""
        family = self.code // 100
        state = {2: State.DELIVERED, 5: State.BOUNCED}.get(family, State.DEFERRED)
        match = _STATUS.match(self.lines[0])
        status = match[0] if match and match[0][0] == str(family) else f"{family if family in {2, 5} else 4}.0.0"
        return Result(state, status, str(self))


@dataclass(slots=True)
class Link:
    """One open connection after EHLO."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    offers: frozenset[str] = frozenset()
    mails: int = 0
    content_sent: bool = False  # of the transaction in hand: it may have been taken, whatever happens now

    async def answer(self) -> Answer:
        lines: list[str] = []
        while len(lines) < _LINES_A_REPLY:
            match = _LINE.fullmatch(await self.reader.readline())
            if match is None:
                raise HopTrouble("the connection broke off")
            lines.append(match[3].decode("utf-8", "replace").strip())
            if match[2] == b" ":
                answer = Answer(int(match[1]), tuple(lines))
                if answer.code == 421:
                    raise HopTrouble(str(answer))
                return answer
        raise HopTrouble("a reply without end")

    async def greet(self, hostname: str) -> None:
        greeting = await self.answer()
        if greeting.code != 220:
            raise HopTrouble(str(greeting))
        self.writer.write(f"EHLO {hostname}\r\n".encode())
        offers = await self.answer()
        if offers.code != 250:
            raise HopTrouble(str(offers))
        self.offers = frozenset(line.split(" ")[0].upper() for line in offers.lines[1:])

    def close(self) -> None:
        self.writer.close()


@dataclass(frozen=True, slots=True)
class Envelope:
    """Sender and recipients of one transaction."""

    sender: str
    recipients: Sequence[str]
    smtputf8: bool

    @property
    def international(self) -> bool:
        """Whether it cannot be said without SMTPUTF8."""
        return not "".join((self.sender, *self.recipients)).isascii()

    def commands(self, offers: AbstractSet[str], octets: int) -> list[str]:
        parameters = {"SIZE": f"SIZE={octets}", "8BITMIME": "BODY=8BITMIME"}
        if self.smtputf8:
            parameters["SMTPUTF8"] = "SMTPUTF8"
        wanted = "".join(f" {parameter}" for offer, parameter in parameters.items() if offer in offers)
        return [f"MAIL FROM:<{self.sender}>{wanted}", *(f"RCPT TO:<{to}>" for to in self.recipients), "DATA"]

    def deferred(self, status: str, reason: str) -> Mapping[str, Result]:
        return dict.fromkeys(self.recipients, Result(State.DEFERRED, status, reason[:500]))


@dataclass(slots=True)
class Hop:
    """One next hop: its idle connections, and until when it is left alone."""

    room: asyncio.Semaphore
    idle: list[Link] = field(default_factory=list)
    failures: int = 0
    away_until: float = 0.0
    trouble: str = ""


class SmtpClient:
    """`NextHop` over TCP.

    Times in seconds; their sum is below what an attempt may take in all. `away_seconds` doubles with each failure
    to connect in a row, up to 300.
    """

    def __init__(
        self,
        hostname: str,
        *,
        connections: int = 10,
        mails_a_connection: int = 100,
        turn_seconds: float = 15.0,
        connect_seconds: float = 10.0,
        reply_seconds: float = 30.0,
        away_seconds: float = 2.0,
    ) -> None:
        self._hostname = hostname
        self._connections = connections
        self._mails_a_connection = mails_a_connection
        self._turn_seconds = turn_seconds
        self._connect_seconds = connect_seconds
        self._reply_seconds = reply_seconds
        self._away_seconds = away_seconds
        self._hops: dict[str, Hop] = {}

    async def start(self) -> None:
        """Connections are opened as they are needed."""

    async def stop(self) -> None:
        links = [link for hop in self._hops.values() for link in hop.idle]
        for link in links:
            link.close()
        await asyncio.gather(*(link.writer.wait_closed() for link in links), return_exceptions=True)

    async def send(
        self, hop: str, sender: str, recipients: Sequence[str], content: bytes, *, smtputf8: bool
    ) -> Mapping[str, Result]:
        """A result for each recipient; the content has CRLF line ends."""
        parts = [
            Envelope(sender, recipients[at : at + _RECIPIENTS_A_TRANSACTION], smtputf8)
            for at in range(0, len(recipients), _RECIPIENTS_A_TRANSACTION)
        ]
        results: dict[str, Result] = {}
        for part in await asyncio.gather(*(self._in_turn(hop, envelope, content) for envelope in parts)):
            results.update(part)
        return results

    async def _in_turn(self, name: str, envelope: Envelope, content: bytes) -> Mapping[str, Result]:
        hop = self._hops.setdefault(name, Hop(asyncio.Semaphore(self._connections)))
        try:
            async with asyncio.timeout(self._turn_seconds):
                await hop.room.acquire()
        except TimeoutError:
            return envelope.deferred("4.4.5", "The next hop is busy")
        try:
            return await self._send(name, hop, envelope, content)
        finally:
            hop.room.release()

    async def _send(self, name: str, hop: Hop, envelope: Envelope, content: bytes) -> Mapping[str, Result]:
        while True:
            if asyncio.get_running_loop().time() < hop.away_until:
                return envelope.deferred("4.4.1", f"The next hop is away: {hop.trouble}")
            try:
                link = await self._link(name, hop)
            except (OSError, HopTrouble, ValueError) as trouble:
                self._leave_alone(hop, trouble)
                continue
            try:
                async with asyncio.timeout(self._reply_seconds):
                    results = await _transaction(link, envelope, content)
            except (OSError, HopTrouble, ValueError) as trouble:
                link.close()
                # An old connection may have been closed by the other side: then a new one is worth a try.
                if link.content_sent or not link.mails:
                    return envelope.deferred("4.4.2", str(trouble) or "no reply in time")
            else:
                self._put_back(hop, link)
                return results

    def _leave_alone(self, hop: Hop, trouble: Exception) -> None:
        hop.failures += 1
        hop.trouble = str(trouble) or "no answer in time"
        seconds = min(self._away_seconds * 2 ** (min(hop.failures, 20) - 1), 300.0)
        hop.away_until = asyncio.get_running_loop().time() + seconds

    def _put_back(self, hop: Hop, link: Link) -> None:
        link.mails += 1
        link.content_sent = False
        if link.mails < self._mails_a_connection:
            hop.idle.append(link)
        else:
            link.writer.write(b"QUIT\r\n")
            link.close()

    async def _link(self, name: str, hop: Hop) -> Link:
        while hop.idle:
            link = hop.idle.pop()
            if not link.reader.at_eof() and not link.writer.is_closing():
                return link
            link.close()
        host, _, port = name.rpartition(":")
        async with asyncio.timeout(self._connect_seconds):
            link = Link(*await asyncio.open_connection(host, int(port)))
            with contextlib.ExitStack() as unless_greeted:
                unless_greeted.callback(link.close)
                await link.greet(self._hostname)
                unless_greeted.pop_all()
        hop.failures = 0
        return link


async def _transaction(link: Link, envelope: Envelope, content: bytes) -> Mapping[str, Result]:
    if envelope.international and "SMTPUTF8" not in link.offers:
        reason = "The next hop does not take international addresses"
        return dict.fromkeys(envelope.recipients, Result(State.BOUNCED, "5.6.7", reason))
    mail, *recipients, data = await _commands(link, envelope.commands(link.offers, len(content)))
    refused = mail.result() if mail.code != 250 else None
    results = {to: refused or answer.result() for to, answer in zip(envelope.recipients, recipients, strict=True)}
    taken = [to for to, result in results.items() if result.state is State.DELIVERED]
    if data.code == 354:
        # With no recipient taken there should be no 354: an empty mail ends it (RFC 2920 section 3.1).
        link.content_sent = bool(taken)
        link.writer.write(_stuffed(content) if taken else b".\r\n")
        await link.writer.drain()
        data = await link.answer()
    else:
        await _commands(link, ["RSET"])
    return results | dict.fromkeys(taken, data.result())


async def _commands(link: Link, commands: Sequence[str]) -> list[Answer]:
    """Their answers; in one write where the other side takes that (RFC 2920)."""
    if "PIPELINING" in link.offers:
        link.writer.write("".join(f"{command}\r\n" for command in commands).encode())
        return [await link.answer() for _ in commands]
    answers: list[Answer] = []
    for command in commands:
        if command == "DATA" and not any(answer.code // 100 == 2 for answer in answers[1:]):
            answers.append(Answer(503, ("5.5.1 no recipient was taken",)))
            continue
        link.writer.write(f"{command}\r\n".encode())
        answers.append(await link.answer())
    return answers


def _stuffed(content: bytes) -> bytes:
    first = b"." if content.startswith(b".") else b""
    end = b".\r\n" if content.endswith(b"\r\n") else b"\r\n.\r\n"
    return first + content.replace(b"\r\n.", b"\r\n..") + end
