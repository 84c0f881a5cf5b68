"""What stands behind the name of a hop: servers in their order, TLS, credentials."""

import random
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path

from mail_routing.adapters.mx import MailExchangers, NoWay
from mail_routing.domain.delivery import Result, State
from mail_routing.domain.next_hop import MX


class Security(Enum):
    """TLS to a hop. Opportunistic (RFC 7435) takes what it gets; the last two verify the server's name."""

    NONE = "none"
    OPPORTUNISTIC = "opportunistic"
    REQUIRED = "required"
    IMPLICIT = "implicit"


@dataclass(frozen=True, slots=True)
class Authority:
    """What we authenticate with; the password is read anew for each connection, so that it may be changed."""

    username: str
    password_file: Path

    def password(self) -> str:
        return self.password_file.read_text().strip()


@dataclass(frozen=True, slots=True)
class Server:
    """One server of a hop: its name, and where to connect to."""

    host: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Connector:
    """How to speak to the servers of a hop, of which the first that answers takes the mail.

    `stranger`: we found it by the DNS, so that it might be ourselves.
    """

    servers: tuple[Server, ...]
    security: Security = Security.OPPORTUNISTIC
    lmtp: bool = False
    authority: Authority | None = None
    authorities_file: Path | None = None
    stranger: bool = False

    def context(self) -> ssl.SSLContext:
        """Verifies the server where TLS is required, and takes any certificate where it is not."""
        cafile = str(self.authorities_file) if self.authorities_file else None
        context = ssl.create_default_context(cafile=cafile)
        if self.security is Security.OPPORTUNISTIC:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def server(name: str) -> Server:
    """The server "host:port"; ValueError for other text."""
    host, colon, port = name.rpartition(":")
    if not colon or not host:
        raise ValueError("a server is host:port")
    return Server(host, host.strip("[]"), int(port))


@dataclass(frozen=True, slots=True)
class Hops:
    """The hops by name; `secured` are the domains to which mail goes over verified TLS or not at all."""

    connectors: Mapping[str, Connector] = field(default_factory=dict)
    exchangers: MailExchangers | None = None
    mx_port: int = 25
    secured: frozenset[str] = frozenset()
    mx_authorities_file: Path | None = None

    async def connector(self, hop: str) -> Connector:
        """`NoWay` when the name leads nowhere, now or for good."""
        kind, _, name = hop.partition(":")
        if kind == MX:
            return await self._by_mx(name)
        if kind != "connector":
            try:
                return Connector((server(hop),))
            except ValueError:
                raise _no_way("4.3.5", "The settings name no such next hop") from None
        if name not in self.connectors:
            # Settings are mended; the mail is not lost over them.
            raise _no_way("4.3.5", "The settings name no such connector")
        return self.connectors[name]

    async def _by_mx(self, domain: str) -> Connector:
        if self.exchangers is None:
            raise _no_way("4.3.5", "No DNS is set up")
        found = await self.exchangers.of(domain)
        servers = tuple(Server(host, address, self.mx_port) for host, address in found)
        security = Security.REQUIRED if domain in self.secured else Security.OPPORTUNISTIC
        return Connector(servers, security, authorities_file=self.mx_authorities_file, stranger=True)


def shuffled(hosts: Sequence[str]) -> list[str]:
    """Equal exchangers in a random order (RFC 5321 section 5.1)."""
    return random.SystemRandom().sample(hosts, len(hosts))


def required(connector: Connector) -> Connector:
    """The same with verified TLS, for a mail that asks for it."""
    verified = {Security.REQUIRED, Security.IMPLICIT}
    return connector if connector.security in verified else replace(connector, security=Security.REQUIRED)


def _no_way(status: str, reason: str) -> NoWay:
    return NoWay(Result(State.DEFERRED, status, reason))
