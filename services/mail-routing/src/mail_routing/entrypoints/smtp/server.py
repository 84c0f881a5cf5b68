"""Moves the bytes between sockets and sessions, and keeps the limits that span connections."""

import asyncio
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import cast

import service
import telemetry
from rpc import Caller

from mail_routing.application.authenticate import Credentials
from mail_routing.domain.pace import Pace
from mail_routing.entrypoints.smtp.actions import (
    Accept,
    Action,
    Authenticate,
    Close,
    Judge,
    Limits,
    Send,
    StartTls,
    Transaction,
)
from mail_routing.entrypoints.smtp.grammar import Reply
from mail_routing.entrypoints.smtp.session import Session

_log = telemetry.logger(__name__)

_sessions = telemetry.names.SMTP_SESSIONS.bind(direction="in")
_READ_AHEAD = 64 * 1024


@dataclass(frozen=True, slots=True)
class Client:
    """Who speaks at the other end: the address of the socket, the name it gave, what protects the connection, as
    whom it has authenticated, and whether it began with EHLO.
    """

    address: str
    name: str
    secure: bool
    caller: Caller | None = None
    extended: bool = True


@dataclass(frozen=True, slots=True)
class Admitted:
    """A client that has authenticated, and what says from now on what is taken of it."""

    caller: Caller
    judge: Judge


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """What all connections together may take; times in seconds (RFC 5321 section 4.5.3.2.7 asks for 300)."""

    connections: int = 1000
    connections_per_address: int = 100
    connections_a_minute: float = 0  # of one address; 0: any number
    mistakes_a_minute: float = 0  # likewise
    buffered_octets: int = 512 * 1024 * 1024
    idle_seconds: float = 300.0
    session: Limits = field(default_factory=Limits)


Take = Callable[[Transaction, Client], Awaitable[Reply]]
JudgeOf = Callable[[str], Judge]
AuthenticateClient = Callable[[Credentials, Client], Awaitable[Admitted | Reply]]


class SmtpServer:
    """Listens; a connection is given a session, and each mail that comes in is handed to `take`.

    With `tls` STARTTLS is offered, or with `implicit_tls` a connection begins with TLS (RFC 8314). With
    `authenticate` AUTH is offered, once TLS is up.
    """

    def __init__(
        self,
        address: str,
        hostname: str,
        take: Take,
        judge_of: JudgeOf,
        *,
        limits: ServerLimits | None = None,
        tls: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
        authenticate: AuthenticateClient | None = None,
        setting: str = "SMTP_ADDRESS",
    ) -> None:
        self.hostname = hostname
        self.take = take
        self.judge_of = judge_of
        self.limits = limits or ServerLimits()
        self.tls = tls
        self.implicit_tls = implicit_tls
        self.authenticate = authenticate
        self.connections: set[Connection] = set()
        self.by_address: Counter[str] = Counter()
        self.held = 0  # octets, of all sessions
        self.stopping = False
        self._address = address
        self._setting = setting
        self._coming = Pace(self.limits.connections_a_minute)
        self._mistaken = Pace(self.limits.mistakes_a_minute)
        self._listener: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self._listener is not None
        return int(self._listener.sockets[0].getsockname()[1])

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        host, port = service.host_and_port(self._address)
        with service.binding(self._address, self._setting):
            tls = self.tls if self.implicit_tls else None
            self._listener = await loop.create_server(lambda: Connection(self), host, port, backlog=512, ssl=tls)

    async def stop(self) -> None:
        """Take no new connection, end the idle ones with 421, and see the mails in hand through."""
        self.stopping = True
        if self._listener is not None:
            self._listener.close()
        for connection in tuple(self.connections):
            connection.leave_if_idle()
        if tasks := [c.task for c in self.connections if c.task is not None]:
            await asyncio.wait(tasks)
        for connection in tuple(self.connections):
            connection.close()

    def refusal(self, address: str) -> Reply | None:
        """Why a connection from there is not taken now."""
        if self.stopping:
            return Reply(421, "4.3.2", "Shutting down")
        if len(self.connections) >= self.limits.connections:
            return Reply(421, "4.3.2", "Too many connections")
        if self.by_address[address] >= self.limits.connections_per_address:
            return Reply(421, "4.7.0", "Too many connections from you")
        now = asyncio.get_running_loop().time()
        if self._coming.over(address, now):
            return Reply(421, "4.7.0", "Too many connections from you in a short time")
        if self._mistaken.over(address, now):
            return Reply(421, "4.7.0", "Too many mistakes from you; try again later")
        self._coming.spend(address, 1, now)
        return None

    def left(self, address: str, mistakes: int) -> None:
        """A connection that was taken has ended."""
        self.by_address[address] -= 1
        if not self.by_address[address]:
            del self.by_address[address]
        if mistakes:
            self._mistaken.spend(address, mistakes, asyncio.get_running_loop().time())


class Connection(asyncio.Protocol):
    """One client: carries out what its session says."""

    task: asyncio.Task[None] | None = None
    _transport: asyncio.Transport

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._last_heard = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._address = ""
        self._caller: Caller | None = None
        self._counted = False
        self._held = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = writer = cast("asyncio.Transport", transport)  # uvloop's is one, and no subclass
        server = self._server
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if peer else "unknown"
        self.session = Session(
            server.hostname,
            server.limits.session,
            server.judge_of(self._address),
            offer_tls=server.tls is not None,
            secure=server.implicit_tls,
            offer_auth=server.authenticate is not None,
        )
        if refusal := server.refusal(self._address):
            writer.write(refusal.encode())
            writer.close()
            return
        self._counted = True
        _sessions.inc()
        server.connections.add(self)
        server.by_address[self._address] += 1
        self._heard()
        self._watch()
        writer.write(self.session.greeting())

    def data_received(self, data: bytes) -> None:
        self._heard()
        self._carry_out(self.session.receive(data))
        self._count_held(self.session.buffered)
        if self.task is not None and self.session.buffered > _READ_AHEAD:
            self._transport.pause_reading()

    def pause_writing(self) -> None:
        """The client does not read our replies: then nothing more is read of it."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the name is asyncio's
        if self._timer:
            self._timer.cancel()
        self._count_held(0)
        if self._counted:
            _sessions.dec()
            self._counted = False
            self._server.connections.discard(self)
            self._server.left(self._address, self.session.mistakes)

    def _count_held(self, octets: int) -> None:
        self._server.held += octets - self._held
        self._held = octets

    def leave_if_idle(self) -> None:
        if self.session.idle:
            self._transport.write(Reply(421, "4.3.2", "Shutting down").encode())
            self.close()

    def close(self) -> None:
        self._transport.close()

    def _carry_out(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Send(data):
                    self._transport.write(data)
                case Accept(transaction):
                    self._start(self._take(transaction))
                case Authenticate(credentials):
                    self._start(self._authenticate(credentials))
                case Close():
                    self.close()
                case StartTls():
                    self._start(self._start_tls())

    def _start(self, work: Awaitable[None]) -> None:
        self.task = asyncio.ensure_future(work)
        self.task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self.task is task:
            self.task = None
        if not task.cancelled() and (bug := task.exception()) is not None:
            _log.error("connection ended by a fault of ours", exc_info=bug)
            self._transport.write(Reply(421, "4.3.0", "A fault of ours; try again later").encode())
            self.close()

    @property
    def _client(self) -> Client:
        session = self.session
        return Client(self._address, session.client_name, session.secure, self._caller, session.extended)

    async def _take(self, transaction: Transaction) -> None:
        if self._server.held > self._server.limits.buffered_octets:
            reply = Reply(452, "4.3.1", "Too much in hand; try again later")
        else:
            reply = await self._server.take(transaction, self._client)
        self._go_on(lambda: self.session.answered(reply))

    async def _authenticate(self, credentials: Credentials) -> None:
        assert self._server.authenticate is not None
        answer = await self._server.authenticate(credentials, self._client)
        if isinstance(answer, Admitted):
            self._caller, judge = answer.caller, answer.judge
            self._go_on(lambda: self.session.authenticated(judge))
        else:
            refusal = answer
            self._go_on(lambda: self.session.refused(refusal))

    def _go_on(self, told: Callable[[], list[Action]]) -> None:
        """The session is told how something ended that it has waited for."""
        self.task = None
        self._heard()
        if self._transport.is_closing():
            return
        self._carry_out(told())
        self._count_held(self.session.buffered)
        self._transport.resume_reading()
        if self._server.stopping and self.task is None:
            self.leave_if_idle()

    async def _start_tls(self) -> None:
        assert self._server.tls is not None
        plain = self._transport
        try:
            secure = await self._loop.start_tls(plain, self, self._server.tls, server_side=True)
        except (OSError, ssl.SSLError):
            plain.abort()
            return
        if secure is None:
            return
        self._transport = secure
        self._heard()
        self.session.secured()

    def _heard(self) -> None:
        self._last_heard = self._loop.time()

    def _watch(self) -> None:
        # One timer that is moved when it fires costs less than one moved with every packet.
        left = self._last_heard + self._server.limits.idle_seconds - self._loop.time()
        if left <= 0 and self.task is None:
            self._transport.write(Reply(421, "4.4.2", "Idle for too long").encode())
            self.close()
        else:
            self._timer = self._loop.call_later(max(left, 1.0), self._watch)
