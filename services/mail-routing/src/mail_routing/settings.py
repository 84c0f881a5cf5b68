"""What mail-routing is told from outside."""

import socket
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated

import service
from pydantic import Field


class Settings(service.Settings):
    """Lists and tables are JSON in their variables."""

    grpc_address: service.Address = "127.0.0.1:7102"
    admin_address: service.Address = "127.0.0.1:7202"
    data_path: Path = Path(".rossio/mail-routing")

    smtp_address: service.Address = "127.0.0.1:2525"
    smtp_hostname: str = socket.getfqdn()
    """The name of this server in greetings, Received fields and reports."""
    smtp_tls_certificate: Path | None = None
    """PEM with the chain; with `smtp_tls_key` STARTTLS is offered."""
    smtp_tls_key: Path | None = None
    smtp_max_octets: int = 35 * 1024 * 1024
    smtp_max_connections: int = 1000
    smtp_max_connections_per_address: int = 100
    smtp_idle_seconds: float = 300.0
    trusted_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    """Clients that may relay and whose senders are believed, for example ["10.1.0.0/16"]."""

    inline_octets: Annotated[int, Field(le=512 * 1024)] = 256 * 1024
    """Content up to this travels in the record of the mail, larger content goes to the blob store first."""
    max_hops: int = 50
    postmaster: str = ""
    """The address that takes the mail for postmaster@ of every domain."""
    next_hops: dict[str, str] = Field(default_factory=dict)
    """Who takes the mail of other domains, for example {"example.org": "mx.example.org:25"}."""
    smart_host: str = ""
    """Who takes the mail of all domains that `next_hops` does not name; empty: nobody."""
    service_senders: dict[str, tuple[str, ...]] = {"notification": ("no-reply@*",)}  # noqa: RUF012 - copied by pydantic
    """The addresses that services may submit from, as patterns, by the subject of their tokens."""

    grpc_max_message_bytes: int = 36 * 1024 * 1024
