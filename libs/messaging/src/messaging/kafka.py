"""How to reach Kafka."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer
from errors import Invalid

from messaging.repeats import calm
from messaging.security import Sasl, Tls, keep_secrets, told_by_environment

calm()
keep_secrets()


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
    """None: plain text, for development and networks that are safe without."""
    sasl: Sasl | None = None
    """None: whoever the certificate names, or nobody."""

    def __post_init__(self) -> None:
        if self.sasl is not None and self.tls is None and not self.sasl.without_tls:
            raise Invalid("a password goes over TLS, or without on purpose", reason="KAFKA_SECURITY")

    def connection(self) -> dict[str, Any]:
        """The arguments of any client of aiokafka."""
        arguments: dict[str, Any] = {"bootstrap_servers": self.bootstrap, "client_id": self.client_id}
        if self.tls is not None:
            arguments |= {"security_protocol": "SSL", "ssl_context": self.tls.context()}
        if self.sasl is not None:
            arguments |= {
                "security_protocol": "SASL_PLAINTEXT" if self.tls is None else "SASL_SSL",
                "sasl_mechanism": self.sasl.mechanism,
                "sasl_plain_username": self.sasl.username,
                "sasl_plain_password": self.sasl.password,
            }
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


def from_environment(bootstrap: str, *, client_id: str = "rossio", idempotence: bool = True) -> Kafka:
    """How a tool reaches brokers: as KAFKA_TLS, KAFKA_SASL_MECHANISM and their like say, which services read too.

    Raises:
        Invalid: a line for each variable that is wrong, which says what to set.
    """
    tls, sasl = told_by_environment().security()
    return Kafka(bootstrap, client_id=client_id, idempotence=idempotence, tls=tls, sasl=sasl)


async def close(client: AIOKafkaConsumer) -> None:
    """Stops a consuming client, which may end as cancelled when a fetch of its own was under way."""
    try:
        await client.stop()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
