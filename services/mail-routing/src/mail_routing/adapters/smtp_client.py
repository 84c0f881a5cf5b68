"""Mail to next hops: pooled connections for each class and destination site, shaping, back-off while a site is away."""

import asyncio
import contextlib
import random
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from telemetry.background import end, keep

from mail_routing.adapters.hops import Connector, Hops, Security, Server, required
from mail_routing.adapters.mx import NoWay
from mail_routing.adapters.smtp_link import HopTrouble, Link, OurselvesFound, Transaction
from mail_routing.domain.delivery import Result, State
from mail_routing.domain.message import Message, MessageClass
from mail_routing.domain.route import Destination

_RECIPIENTS_A_TRANSACTION = 100
_SITES_KEPT = 10_000
SiteKey = tuple[str, MessageClass, bool]
TlsKey = tuple[Security, Path | None]
_LOOP = Result(State.BOUNCED, "5.4.6", "The mail goes round: the domain's mail server is this one")


@dataclass(frozen=True, slots=True)
class Shape:
    """What one site is given by one class of this process.

    `waiting` mails may wait for a connection; where no room comes in time the site is slow, and whoever comes after
    is deferred, so that it holds up nobody else. `mails_a_second` 0 is without limit.
    """

    connections: int = 10
    mails_a_connection: int = 100
    mails_a_second: float = 0.0
    waiting: int = 20


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds; the sum of all is below what an attempt may take in all.

    `reply` is for a whole mail. Who is patient waits for `content` from where that begins: a hop that looks into a mail
    before it answers, and is not waited for, has it once more with each attempt (RFC 5321 section 4.5.3.2.6).
    `room` is how long a mail may wait to be let in to wait for its turn; when that was too short, nobody waits for
    `busy`. `away` doubles with each failure to connect in a row, up to `away_most`, with jitter. `idle`: after which
    a connection is closed.
    """

    turn: float = 15.0
    room: float = 1.0
    busy: float = 5.0
    connect: float = 10.0
    reply: float = 30.0
    content: float = 240.0
    away: float = 2.0
    away_most: float = 300.0
    idle: float = 30.0


@dataclass(slots=True)
class Site:
    """One destination site of one class: its idle connections, and until when it is left alone."""

    shape: Shape
    idle: list[Link] = field(default_factory=list)
    room: asyncio.Semaphore = field(init=False)
    turn: asyncio.Semaphore = field(init=False)
    in_hand: int = 0
    busy_until: float = 0.0
    next_mail_at: float = 0.0
    failures: int = 0
    away_until: float = 0.0
    probed: bool = False
    trouble: str = ""

    def __post_init__(self) -> None:
        self.room = asyncio.Semaphore(self.shape.connections + self.shape.waiting)
        self.turn = asyncio.Semaphore(self.shape.connections)


class SmtpClient:
    """`NextHop` over TCP. `shapes` are by name of the hop; all others have `shape`."""

    def __init__(
        self,
        hostname: str,
        hops: Hops | None = None,
        *,
        shape: Shape | None = None,
        shapes: Mapping[str, Shape] | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._hostname = hostname
        self._hops = hops or Hops()
        self._shape = shape or Shape()
        self._shapes = shapes or {}
        self._patience = patience or Patience()
        self._sites: dict[SiteKey, Site] = {}
        self._contexts: dict[TlsKey, ssl.SSLContext] = {}
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connections are opened as they are needed."""
        self._sweeper = keep("SMTP connections", self._sweep_often())

    async def stop(self) -> None:
        await end(self._sweeper)
        links = [link for site in self._sites.values() for link in site.idle]
        for link in links:
            link.close()
        await asyncio.gather(*(link.writer.wait_closed() for link in links), return_exceptions=True)

    def away(self, hop: str, lane: MessageClass) -> float:
        """For how many seconds more the site is left alone by mails of the class; 0: it is not."""
        site = self._sites.get((hop, lane, False))
        return max(0.0, site.away_until - _now()) if site else 0.0

    def urge(self, hop: str, lane: MessageClass) -> None:
        """Leave the site alone no longer."""
        for require_tls in (False, True):
            if site := self._sites.get((hop, lane, require_tls)):
                site.away_until = 0.0

    async def send(
        self, hop: str, message: Message, destinations: Sequence[Destination], content: bytes, *, patient: bool = False
    ) -> Mapping[Destination, Result]:
        """A result for each recipient; the content has CRLF line ends."""
        parts = [
            Transaction(message, destinations[at : at + _RECIPIENTS_A_TRANSACTION], content, patient)
            for at in range(0, len(destinations), _RECIPIENTS_A_TRANSACTION)
        ]
        if len(parts) == 1:
            return await self._in_turn(hop, parts[0])
        results: dict[Destination, Result] = {}
        for part in await asyncio.gather(*(self._in_turn(hop, each) for each in parts)):
            results |= part
        return results

    async def _in_turn(self, hop: str, mail: Transaction) -> Mapping[Destination, Result]:
        site = self._site(hop, mail.message)
        if _now() < site.away_until:
            return mail.deferred("4.4.1", f"The next hop is away: {site.trouble}")
        if (site.failures and site.probed) or not await self._let_in(site):
            return mail.deferred("4.4.5", "The next hop is busy")
        site.in_hand += 1
        site.probed = site.failures > 0  # one alone finds out whether the site is back
        try:
            if not await self._turn(site):
                return mail.deferred("4.4.5", "The next hop is busy")
            try:
                return await self._send(hop, site, mail)
            finally:
                site.turn.release()
        finally:
            site.room.release()
            site.in_hand -= 1
            site.probed = False

    async def _let_in(self, site: Site) -> bool:
        if site.room.locked() and _now() < site.busy_until:
            return False
        if await _acquired(site.room, self._patience.room):
            return True
        site.busy_until = _now() + self._patience.busy
        return False

    async def _turn(self, site: Site) -> bool:
        """A moment of the site's rate, and room for a connection."""
        if site.shape.mails_a_second:
            at = max(_now(), site.next_mail_at)
            if at - _now() > self._patience.turn:
                return False
            site.next_mail_at = at + 1 / site.shape.mails_a_second
            await asyncio.sleep(at - _now())
        return await _acquired(site.turn, self._patience.turn)

    async def _send(self, hop: str, site: Site, mail: Transaction) -> Mapping[Destination, Result]:
        while True:
            if _now() < site.away_until:  # another found out while this one waited
                return mail.deferred("4.4.1", f"The next hop is away: {site.trouble}")
            try:
                link = _idle(site) or await self._open(hop, mail.message)
            except NoWay as nowhere:
                if nowhere.result.state is State.DEFERRED:
                    self._leave_alone(site, nowhere)
                return dict.fromkeys(mail.destinations, nowhere.result)
            except OurselvesFound:
                return dict.fromkeys(mail.destinations, _LOOP)
            except (OSError, HopTrouble, ValueError) as trouble:
                self._leave_alone(site, trouble)
                continue
            site.failures = 0
            try:
                async with asyncio.timeout(self._patience.reply) as limit:
                    results = await mail.over(link, partial(self._content_goes, mail, limit))
            except (OSError, HopTrouble, ValueError) as trouble:
                link.close()
                # An old connection may have been closed by the other side: then a new one is worth a try.
                if link.content_sent or not link.mails:
                    return mail.deferred("4.4.2", str(trouble) or "no reply in time", link.host)
            else:
                _put_back(site, link)
                return results

    def _content_goes(self, mail: Transaction, limit: asyncio.Timeout) -> None:
        if mail.patient:
            limit.reschedule(_now() + self._patience.content)

    async def _open(self, hop: str, message: Message) -> Link:
        """A connection to the first server of the hop that answers."""
        connector = await self._hops.connector(hop)
        if message.require_tls:
            connector = required(connector)
        trouble: Exception = HopTrouble("the hop has no servers")
        for server in connector.servers:
            try:
                return await self._open_to(server, connector)
            except ssl.SSLError as failed:
                trouble = failed
                if connector.security is Security.OPPORTUNISTIC:  # what TLS it offers does not work: go without
                    with contextlib.suppress(OSError, HopTrouble, ValueError):
                        return await self._open_to(server, replace(connector, security=Security.NONE))
            except (OSError, HopTrouble, ValueError) as failed:
                trouble = failed
        raise trouble

    async def _open_to(self, server: Server, connector: Connector) -> Link:
        context = self._context(connector)
        implicit = connector.security is Security.IMPLICIT
        async with asyncio.timeout(self._patience.connect):
            opened = await asyncio.open_connection(
                server.address,
                server.port,
                ssl=context if implicit else None,
                server_hostname=server.host if implicit else None,
            )
            link = Link(*opened, host=server.host, lmtp=connector.lmtp)
            with contextlib.ExitStack() as unless_ready:
                unless_ready.callback(link.close)  # of whichever writer it has then
                await link.greet(self._hostname, stranger=connector.stranger)
                await link.secure(self._hostname, connector.security, context)
                if connector.authority:
                    await link.authenticate(connector.authority)
                unless_ready.pop_all()
        return link

    def _context(self, connector: Connector) -> ssl.SSLContext:
        """Made once for all servers that are verified alike: reading the authorities takes milliseconds."""
        key = connector.security, connector.authorities_file
        if key not in self._contexts:
            self._contexts[key] = connector.context()
        return self._contexts[key]

    def _site(self, hop: str, message: Message) -> Site:
        key = _key(hop, message)
        site = self._sites.get(key)
        if site is None:
            site = self._sites[key] = Site(self._shapes.get(hop, self._shape))
        return site

    def _leave_alone(self, site: Site, trouble: Exception) -> None:
        site.failures += 1
        site.trouble = str(trouble) or "no answer in time"
        seconds = min(self._patience.away * 2 ** min(site.failures - 1, 20), self._patience.away_most)
        site.away_until = _now() + seconds * random.uniform(0.75, 1.25)  # noqa: S311 - spreads, guards nothing

    async def _sweep_often(self) -> None:
        while True:
            await asyncio.sleep(self._patience.idle / 3)
            self._sweep()

    def _sweep(self) -> None:
        """Close what is idle for long, and forget sites that were not used for long."""
        now = _now()
        for key, site in list(self._sites.items()):
            for link in [link for link in site.idle if now - link.idle_since > self._patience.idle]:
                site.idle.remove(link)
                _quit(link)
            unused = not site.idle and not site.in_hand and now > site.away_until + self._patience.away_most
            if unused and len(self._sites) > _SITES_KEPT:
                del self._sites[key]


def _key(hop: str, message: Message) -> SiteKey:
    """Classes share no connections, so that none waits for another; a mail that asks for TLS takes none without."""
    return hop, message.message_class, message.require_tls


async def _acquired(room: asyncio.Semaphore, seconds: float) -> bool:
    """Whether there was room in time; where there is some it costs no timer."""
    if not room.locked():
        return await room.acquire()
    try:
        async with asyncio.timeout(seconds):
            return await room.acquire()
    except TimeoutError:
        return False


def _idle(site: Site) -> Link | None:
    while site.idle:
        link = site.idle.pop()
        if not link.reader.at_eof() and not link.writer.is_closing():
            return link
        link.close()
    return None


def _put_back(site: Site, link: Link) -> None:
    link.mails += 1
    link.content_sent = False
    if link.mails < site.shape.mails_a_connection:
        link.idle_since = _now()
        site.idle.append(link)
    else:
        _quit(link)


def _quit(link: Link) -> None:
    link.writer.write(b"QUIT\r\n")
    link.close()


def _now() -> float:
    return asyncio.get_running_loop().time()
