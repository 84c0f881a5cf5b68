"""How to reach Kafka."""

import asyncio
import ssl
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer

from messaging.repeats import calm

calm()


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificates in PEM files, as Strimzi's secrets hold them."""

    authority: Path
    """Whom the brokers' certificates have to be from."""
    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """For a client that shows its certificate and wants to see the broker's."""
        context = ssl.create_default_context(cafile=self.authority)
        context.load_cert_chain(self.certificate, self.key)
        return context


@dataclass(frozen=True, slots=True)
class Kafka:
    """What every client of one process has in common."""

    bootstrap: str
    """host:port, comma separated."""
    client_id: str = "rossio"
    idempotence: bool = True
    """False on the embedded broker of the wheel, which has no idempotent producers."""
    session: timedelta = timedelta(seconds=10)
    """After so long without a word of it a consumer counts as dead, and others get its partitions."""
    tls: Tls | None = None
    """None: plain text, for development."""

    def connection(self) -> dict[str, Any]:
        """The arguments of any client of aiokafka."""
        arguments: dict[str, Any] = {"bootstrap_servers": self.bootstrap, "client_id": self.client_id}
        if self.tls is not None:
            arguments |= {"security_protocol": "SSL", "ssl_context": self.tls.context()}
        return arguments

    def member(self) -> dict[str, Any]:
        """The arguments of a consumer that is a member of a group."""
        milliseconds = self.session // timedelta(milliseconds=1)
        return {
            **self.connection(),
            "session_timeout_ms": milliseconds,
            "heartbeat_interval_ms": max(1, milliseconds * 3 // 10),
        }

    def producer(self) -> dict[str, Any]:
        """The arguments of a producer: what it has confirmed is replicated."""
        return {**self.connection(), "acks": "all", "enable_idempotence": self.idempotence}


async def close(client: AIOKafkaConsumer) -> None:
    """Stops a consuming client, which may end as cancelled when a fetch of its own was under way."""
    try:
        await client.stop()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
