"""Why a broker does not take a client: the client library logs that, and raises that it cannot connect."""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from aiokafka import conn
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest
from errors import Transient

from messaging.kafka import Kafka

_PATIENCE_MS: Final = 3000
_RIGHTS: Final = (ClusterAuthorizationFailedError, GroupAuthorizationFailedError, TopicAuthorizationFailedError)
_CUT_OFF: Final = (ConnectionResetError, ConnectionAbortedError, BrokenPipeError, EOFError, ssl.SSLError)

_SAID: Final[Mapping[type[KafkaError], str]] = {
    SaslAuthenticationFailed: (
        "does not take this user and password: look at KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD"
    ),
    UnsupportedSaslMechanismError: "does not offer the mechanism at this port: look at KAFKA_SASL_MECHANISM",
    IllegalSaslStateError: (
        "wants no user and password at this port: look at KAFKA_BOOTSTRAP and KAFKA_SASL_MECHANISM"
    ),
}


async def no_answer(kafka: Kafka, error: KafkaError, otherwise: str = "Kafka does not answer") -> Transient:
    """What to raise for an error with which a client could not start: it says what to set, where that can be told.

    Its reason is KAFKA_REFUSES where a broker is there and does not take this client as it is, else KAFKA_DOWN.
    """
    if isinstance(error, _RIGHTS):
        user = f"its user {kafka.sasl.username}" if kafka.sasl else "whom the certificate names"
        return Transient(f"Kafka does not let {user} do this: rights are missing ({error})", reason="KAFKA_REFUSES")
    for host, port, _ in conn.collect_hosts(kafka.bootstrap):
        if why := await _why(kafka, host, port):
            return Transient(f"Kafka at {host}:{port} {why}", reason="KAFKA_REFUSES")
    return Transient(otherwise, reason="KAFKA_DOWN")


async def _why(kafka: Kafka, host: str, port: int) -> str | None:
    """Connects as a client does, and says what is wrong with that; None when nothing is, or nobody is there."""
    arguments = kafka.connection()
    del arguments["bootstrap_servers"]
    try:
        made = await conn.create_conn(host, port, **arguments, request_timeout_ms=_PATIENCE_MS)
    except (OSError, KafkaError, TimeoutError) as error:
        return await _of_connecting(error, kafka, host, port)
    try:
        await made.send(MetadataRequest([]))
    except (KafkaError, TimeoutError) as error:
        return _of_asking(error, kafka)
    finally:
        made.close()
    return None


async def _of_connecting(error: BaseException, kafka: Kafka, host: str, port: int) -> str | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"shows a certificate that is not to be trusted ({error.verify_message}): look at KAFKA_TLS_AUTHORITY"
    for kind, said in _SAID.items():
        if isinstance(error, kind):
            return said
    if not isinstance(error.__cause__ if isinstance(error, KafkaError) else error, _CUT_OFF):
        return None
    if kafka.tls is None:
        return "speaks TLS at this port: set KAFKA_TLS" if await _speaks_tls(host, port) else None
    if isinstance(error, KafkaError):
        return "does not take the certificate that it is shown, or misses one: look at KAFKA_TLS_CERTIFICATE"
    return "does not speak TLS at this port: look at KAFKA_BOOTSTRAP and KAFKA_TLS"


def _of_asking(error: BaseException, kafka: Kafka) -> str | None:
    """A listener for users answers a stranger's first question, about versions, and closes at the second."""
    if kafka.sasl is None and isinstance(error.__cause__, _CUT_OFF):
        return "wants a user and password at this port: set KAFKA_SASL_MECHANISM"
    return None


async def _speaks_tls(host: str, port: int) -> bool:
    """Nothing is said to whom it is: any certificate does."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        async with asyncio.timeout(_PATIENCE_MS / 1000):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
    return True
