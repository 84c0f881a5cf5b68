"""One connection to a next hop: SMTP (RFC 5321) and LMTP (RFC 2033) from the client's side, pipelined."""

import asyncio
import base64
import contextlib
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from mail_routing.adapters.hops import Authority, Security
from mail_routing.domain.delivery import Result, State
from mail_routing.domain.message import Message
from mail_routing.domain.route import Destination

_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?=\s)")
_LINE = re.compile(rb"(\d{3})([ -])(.*)\r?\n", re.DOTALL)
_LINES_A_REPLY = 200
_XCHAR = re.compile(r"[^\x21-\x2a\x2c-\x3c\x3e-\x7e]")


class HopTrouble(Exception):
    """The connection is of no further use; the text says why, for the people who look at the queue."""


class OurselvesFound(Exception):
    """The server greets with our own name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply of the other side."""

    code: int
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.code} {' '.join(self.lines)}"[:500]

    def result(self, link: "Link") -> Result:
        """What it means for a recipient."""
        family = self.code // 100
        state = {2: State.DELIVERED, 5: State.BOUNCED}.get(family, State.DEFERRED)
        match = _STATUS.match(self.lines[0])
        status = match[0] if match and match[0][0] == str(family) else f"{family if family in {2, 5} else 4}.0.0"
        return Result(state, status, str(self), link.host, informed="DSN" in link.offers)


@dataclass(slots=True)
class Link:
    """One open connection; `host` is the server's name."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    host: str
    lmtp: bool = False
    offers: frozenset[str] = frozenset()
    mechanisms: frozenset[str] = frozenset()
    mails: int = 0
    idle_since: float = 0.0
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

    async def asked(self, command: str) -> Answer:
        self.writer.write(f"{command}\r\n".encode())
        return await self.answer()

    async def greet(self, hostname: str, *, stranger: bool = False) -> None:
        """The greeting and EHLO. A `stranger` that has our own name is ourselves (`OurselvesFound`)."""
        greeting = await self.answer()
        if greeting.code != 220:
            raise HopTrouble(str(greeting))
        if stranger and greeting.lines[0].partition(" ")[0].lower() == hostname.lower():
            raise OurselvesFound
        await self.hello(hostname)

    async def hello(self, hostname: str) -> None:
        offers = await self.asked(f"{'LHLO' if self.lmtp else 'EHLO'} {hostname}")
        if offers.code != 250:
            raise HopTrouble(str(offers))
        said = [line.upper().split() for line in offers.lines[1:] if line]
        self.offers = frozenset(words[0] for words in said)
        self.mechanisms = frozenset(name for words in said if words[0] == "AUTH" for name in words[1:])

    async def secure(self, hostname: str, security: Security, context: ssl.SSLContext) -> None:
        """STARTTLS, where it is wanted and offered; `HopTrouble` where it must be and is not."""
        if security not in {Security.OPPORTUNISTIC, Security.REQUIRED}:
            return
        if "STARTTLS" not in self.offers or (await self.asked("STARTTLS")).code != 220:
            if security is Security.REQUIRED:
                raise HopTrouble("TLS is required, and the next hop does not offer it")
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0):
                await self.reader.read(1)
                # Whoever sits between could have said it, and it would pass for what was said over TLS.
                raise HopTrouble("more than a reply was said before TLS")
        await self.writer.start_tls(context, server_hostname=self.host)
        await self.hello(hostname)

    async def authenticate(self, authority: Authority) -> None:
        """AUTH PLAIN (RFC 4616), over TLS alone."""
        if "PLAIN" not in self.mechanisms or self.writer.get_extra_info("ssl_object") is None:
            raise HopTrouble("the next hop offers no AUTH PLAIN over TLS")
        secret = base64.b64encode(f"\0{authority.username}\0{authority.password()}".encode()).decode()
        answer = await self.asked(f"AUTH PLAIN {secret}")
        if answer.code != 235:
            raise HopTrouble(f"authentication: {answer}")

    def close(self) -> None:
        self.writer.close()


@dataclass(frozen=True, slots=True)
class Transaction:
    """One mail for some recipients of one hop, all of them different addresses."""

    message: Message
    destinations: Sequence[Destination]
    content: bytes
    patient: bool = False

    def all(self, state: State, status: str, reason: str, remote: str = "") -> Mapping[Destination, Result]:
        return dict.fromkeys(self.destinations, Result(state, status, reason[:500], remote))

    def deferred(self, status: str, reason: str, remote: str = "") -> Mapping[Destination, Result]:
        return self.all(State.DEFERRED, status, reason, remote)

    async def over(self, link: Link, content_goes: Callable[[], None]) -> Mapping[Destination, Result]:
        """A result for each recipient; `HopTrouble` and OSError when the connection breaks.

        `content_goes` is called once all commands are answered.
        """
        if self._international and "SMTPUTF8" not in link.offers:
            reason = "The next hop does not take international addresses"
            return self.all(State.BOUNCED, "5.6.7", reason, link.host)
        mail, *recipients, data = await _commands(link, self._commands(link.offers))
        refused = mail.result(link) if mail.code != 250 else None
        taken: list[Destination] = []
        results: dict[Destination, Result] = {}
        for to, answer in zip(self.destinations, recipients, strict=True):
            if refused is None and answer.code // 100 == 2:
                taken.append(to)  # what it means is said at the end of the data
            else:
                results[to] = refused or answer.result(link)
        if data.code != 354:
            await link.asked("RSET")
            return results | dict.fromkeys(taken, data.result(link))
        # With no recipient taken there should be no 354: an empty mail ends it (RFC 2920 section 3.1).
        content_goes()
        link.content_sent = bool(taken)
        link.writer.write(_stuffed(self.content) if taken else b".\r\n")
        await link.writer.drain()
        if link.lmtp:  # an answer for each recipient that was taken, in their order (RFC 2033 section 4.2)
            return results | {to: (await link.answer()).result(link) for to in taken}
        return results | dict.fromkeys(taken, (await link.answer()).result(link))

    @property
    def _international(self) -> bool:
        """Whether it cannot be said without SMTPUTF8."""
        return not "".join((self.message.sender, *(to.address for to in self.destinations))).isascii()

    def _commands(self, offers: AbstractSet[str]) -> list[str]:
        message, dsn = self.message, "DSN" in offers
        mail = [f"MAIL FROM:<{message.sender}>"]
        parameters = {"SIZE": f"SIZE={len(self.content)}", "8BITMIME": "BODY=8BITMIME"}
        if message.smtputf8:
            parameters["SMTPUTF8"] = "SMTPUTF8"
        mail += [parameter for offer, parameter in parameters.items() if offer in offers]
        if dsn and message.dsn_return:
            mail.append(f"RET={message.dsn_return}")
        if dsn and message.envelope_id:
            mail.append(f"ENVID={xtext(message.envelope_id)}")
        return [" ".join(mail), *(_rcpt(to, dsn=dsn) for to in self.destinations), "DATA"]


def xtext(text: str) -> str:
    """RFC 3461 section 4."""
    return _XCHAR.sub(lambda match: "".join(f"+{octet:02X}" for octet in match[0].encode()), text)


def _rcpt(to: Destination, *, dsn: bool) -> str:
    command = f"RCPT TO:<{to.address}>"
    if dsn and to.notify:
        command += f" NOTIFY={','.join(to.notify)}"
    if dsn and to.original and to.original.isascii():
        kind, semicolon, rest = to.original.partition(";")
        typed = semicolon and "@" not in kind  # an address of another kind than ours
        command += f" ORCPT={kind};{xtext(rest)}" if typed else f" ORCPT=rfc822;{xtext(to.original)}"
    return command


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
        answers.append(await link.asked(command))
    return answers


def _stuffed(content: bytes) -> bytes:
    first = b"." if content.startswith(b".") else b""
    end = b".\r\n" if content.endswith(b"\r\n") else b"\r\n.\r\n"
    return first + content.replace(b"\r\n.", b"\r\n..") + end
