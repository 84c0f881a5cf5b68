"""What mail-routing is told from outside."""

import socket
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self

import service
from pydantic import BaseModel, ConfigDict, Field, model_validator

from mail_routing.domain.quota import Rate, RateOf

Table = dict[str, str]
Security = Literal["none", "opportunistic", "required", "implicit"]


class ConnectorSettings(BaseModel):
    """A smart host or mail store: `servers` are "host:port", of which the first that answers takes the mail."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    servers: Annotated[tuple[service.Address, ...], Field(min_length=1)]
    protocol: Literal["smtp", "lmtp"] = "smtp"
    tls: Security = "opportunistic"
    authorities: Path | None = None
    """PEM of who may have signed the server's certificate; none: whom this machine believes."""
    username: str = ""
    password_file: Path | None = None

    @model_validator(mode="after")
    def _secret_only_over_tls(self) -> "ConnectorSettings":
        if bool(self.username) != bool(self.password_file):
            raise ValueError("username and password_file come together")
        if self.username and self.tls not in {"required", "implicit"}:
            raise ValueError("credentials need tls required or implicit")
        return self


class ShapeSettings(BaseModel):
    """What each class of a process gives one site; `mails_a_second` 0 is without limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    connections: Annotated[int, Field(ge=1)] = 10
    mails_a_connection: Annotated[int, Field(ge=1)] = 100
    mails_a_second: Annotated[float, Field(ge=0)] = 0.0


class Settings(service.Settings):
    """Lists and tables are JSON in their variables."""

    grpc_address: service.Address = "127.0.0.1:7102"
    admin_address: service.Address = "127.0.0.1:7202"
    data_path: Path = Path(".rossio/mail-routing")

    smtp_address: service.Address = "127.0.0.1:2525"
    smtp_hostname: str = Field(default_factory=socket.getfqdn)
    """The name of this server in greetings, Received fields and reports."""
    smtp_tls_certificate: Path | None = None
    """PEM with the chain; with `smtp_tls_key` STARTTLS is offered. Renewed files hold for the next connection."""
    smtp_tls_key: Path | None = None
    submission_address: service.Address | None = None
    """Where people and services hand mail in, after STARTTLS and AUTH (587); needs a certificate."""
    submissions_address: service.Address | None = None
    """The same with TLS from the first octet (465, RFC 8314)."""
    smtp_max_octets: int = 35 * 1024 * 1024
    """Of a mail; more is refused."""
    smtp_max_connections: int = 1000
    """Of a process, at one time."""
    smtp_max_connections_per_address: int = 100
    """Of one client address, at one time."""
    smtp_max_connections_a_minute: int = 0
    """Of one address; 0: any number."""
    smtp_max_mails_a_connection: int = 1000
    """Then the client connects anew."""
    smtp_max_recipients: int = 1000
    """Of a mail; the client sends another one to the rest."""
    smtp_max_mistakes: int = 10
    """Commands of a connection that are wrong, between two mails."""
    smtp_max_mistakes_a_minute: int = 100
    """Wrong commands of one address, over all of its connections; 0: any number."""
    smtp_idle_seconds: float = 300.0
    """A connection that says nothing for so long is closed."""
    smtp_rates: dict[RateOf, Rate] = {"principal": Rate(mails=120, recipients=5000)}  # noqa: RUF012 - copied by pydantic
    """What one client address, reverse path, authenticated principal and sending entity may hand in a minute:
    {"client": {"mails": 600, "recipients": 6000, "octets": 1000000000}}; 0: any number."""
    smtp_replicas: Annotated[int, Field(ge=1)] = 1
    """How many processes share the mail that comes in: each allows its part of all that is counted by the minute."""
    trusted_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Clients that may relay and whose senders are believed, for example ["10.1.0.0/16"]."""

    inline_octets: Annotated[int, Field(le=512 * 1024)] = 256 * 1024
    """Content up to this travels in the record of the mail, larger content goes to the blob store first."""
    collect_after_seconds: Annotated[float, Field(gt=0)] = 86400
    """How old content in the blob store is at least when it goes, once its mail has ended."""
    collect_unrecorded_after_seconds: Annotated[float, Field(gt=0)] = 45 * 86400
    """The same where nothing stands recorded of its mail: longer than its record may last (7 days), lie among the dead
    letters (30), and last once more when it is redriven (7)."""
    trace_days: Annotated[float, Field(gt=0)] = 90
    """How long `Trace` knows of a mail after its last recipient came to an end: longer than the 45 days that its record
    may last, since a mail that is known is not delivered again."""
    max_hops: int = 50
    """A mail with more Received fields runs in a circle, and is refused."""
    moderation_hours: Annotated[float, Field(gt=0)] = 120.0
    """What waits for moderators longer than this is given up, and its sender told so."""
    postmaster: str = ""
    """The address that takes the mail for postmaster@ of every domain."""
    next_hops: Table = Field(default_factory=dict)
    """Who takes the mail of other domains, for example {"example.org": "mx.example.org:25"}; see domain/next_hop.py."""
    entity_hops: Table = Field(default_factory=dict)
    """Who takes the mail that the senders of an entity have for domains that `next_hops` does not name."""
    smart_host: str = ""
    """Who takes the rest, for example "mx"; empty: nobody."""
    split_hops: Table = Field(default_factory=dict)
    """By domain of ours: who takes the mail for addresses there that the directory does not know."""
    dual_hops: Table = Field(default_factory=dict)
    """By domain of ours: who gets a copy of the mail for its mailboxes."""
    mailbox_hops: Table = Field(default_factory=dict)
    """By entity: the connector to the LMTP server that has its mailboxes; others have Maildirs."""
    connectors: dict[str, ConnectorSettings] = Field(default_factory=dict)
    """By name; elsewhere "connector:<name>"."""
    shapes: dict[str, ShapeSettings] = Field(default_factory=dict)
    """By name of the hop, for example {"mx:example.org": {"connections": 2, "mails_a_second": 5}}."""
    dns_servers: tuple[service.Address, ...] = ()
    """Who is asked for mail exchangers; empty: the machine's."""
    mx_port: int = 25
    """Port of mail exchangers: another one for tests."""
    tls_required_domains: frozenset[str] = frozenset()
    """Domains whose exchangers get mail over verified TLS or not at all."""
    mx_authorities: Path | None = None
    """PEM of who may have signed their certificates; none: whom this machine believes."""
    service_senders: dict[str, tuple[str, ...]] = {"notification": ("no-reply@*",)}  # noqa: RUF012 - copied by pydantic
    """The addresses that services may submit from, as patterns, by the subject of their tokens."""

    grpc_max_message_bytes: int = 36 * 1024 * 1024

    @property
    def moderated_for(self) -> timedelta:
        return timedelta(hours=self.moderation_hours)

    @model_validator(mode="after")
    def _submission_has_tls(self) -> Self:
        if (self.submission_address or self.submissions_address) and self.smtp_tls_certificate is None:
            raise ValueError("submission needs SMTP_TLS_CERTIFICATE: AUTH is offered under TLS alone")
        return self
