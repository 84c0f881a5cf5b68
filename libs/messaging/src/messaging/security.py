"""Over TLS, and as whom: how brokers that are not open to everybody are reached."""

import logging
import os
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from errors import Invalid

_MECHANISMS: Final = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")
_BOOLEANS: Final = {"": False, "false": False, "0": False, "true": True, "1": True}


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificates in PEM files, as Strimzi's secrets hold them; renewed ones hold for the next connection."""

    authority: Path | None = None
    """Whom the brokers' certificates have to be from; None: whom this machine trusts."""
    certificate: Path | None = None
    """Shown to the brokers, with its key."""
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """For a client that wants to see the broker's certificate, and shows its own where it has one.

        Raises:
            OSError: a file cannot be read, or is no certificate or key (ssl.SSLError).
        """
        return _Renewed(self)

    def as_they_are(self) -> ssl.SSLContext:
        """A context of the files as they are now; raises as `context` does."""
        context = ssl.create_default_context(cafile=self.authority)
        context.sslobject_class = _Leaving
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context

    def stamps(self) -> tuple[int, ...]:
        """When each file was last replaced; raises OSError when one is not there."""
        return tuple(path.stat().st_mtime_ns for path in (self.authority, self.certificate, self.key) if path)


class _Leaving(ssl.SSLObject):
    """Says that it closes, and does not wait until the broker says so too, which RFC 8446, 6.1 does not ask for.

    Event loops do for 30 s, and a client that stops waits for them.
    """

    def unwrap(self) -> None:
        """Called by the event loop when a connection is closed."""
        with suppress(ssl.SSLWantReadError, ssl.SSLSyscallError):
            super().unwrap()


class _Renewed(ssl.SSLContext):
    """Stands for the context of the files as they are when a connection is made."""

    def __new__(cls, tls: Tls) -> Self:  # noqa: ARG004 - for __init__
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        self._stamps = tls.stamps()
        self._context = tls.as_they_are()

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        """Called by the event loop for each connection."""
        try:
            stamps = self._tls.stamps()
            if stamps != self._stamps:
                self._context, self._stamps = self._tls.as_they_are(), stamps
        except OSError:
            pass  # in the middle of being replaced
        return self._context.wrap_bio(*arguments, **options)


@dataclass(frozen=True, slots=True)
class Sasl:
    """A user of the brokers."""

    username: str
    password: str = field(repr=False)
    mechanism: str = _MECHANISMS[0]
    """SCRAM-SHA-512, SCRAM-SHA-256 or PLAIN."""
    without_tls: bool = False
    """On purpose: the network keeps the password (PLAIN), or what can be guessed at (SCRAM), from others."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the settings of these names, with KAFKA_ before them, say."""

    tls: bool = False
    tls_authority: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    sasl_mechanism: str = ""
    sasl_username: str = ""
    sasl_password: str = field(default="", repr=False)
    sasl_without_tls: bool = False

    def security(self) -> tuple[Tls | None, Sasl | None]:
        """Raises Invalid with a line for each setting that is wrong, which says what to set."""
        if wrong := [*self._wrong_tls(), *self._wrong_sasl()]:
            raise Invalid("\n".join(wrong), reason="KAFKA_SECURITY")
        tls = Tls(self.tls_authority, self.tls_certificate, self.tls_key) if self.tls else None
        if tls is not None:
            _try(tls)
        if not self.sasl_mechanism:
            return tls, None
        return tls, Sasl(self.sasl_username, self.sasl_password, self.sasl_mechanism, self.sasl_without_tls)

    def _wrong_tls(self) -> list[str]:
        files = {name: getattr(self, name) for name in ("tls_authority", "tls_certificate", "tls_key")}
        given = [f"KAFKA_{name.upper()}" for name, path in files.items() if path is not None]
        if given and not self.tls:
            return [f"KAFKA_TLS: has to be true, since {given[0]} is set"]
        if (self.tls_certificate is None) != (self.tls_key is None):
            missing = "KAFKA_TLS_KEY" if self.tls_key is None else "KAFKA_TLS_CERTIFICATE"
            return [f"{missing}: needed, since {given[-1]} is set"]
        return []

    def _wrong_sasl(self) -> list[str]:
        user = {"KAFKA_SASL_USERNAME": self.sasl_username, "KAFKA_SASL_PASSWORD": self.sasl_password}
        if not self.sasl_mechanism:
            given = [name for name, value in user.items() if value]
            offered = ", ".join(_MECHANISMS)
            return [f"KAFKA_SASL_MECHANISM: needed, since {given[0]} is set; it is one of {offered}"] if given else []
        if self.sasl_mechanism not in _MECHANISMS:
            return [f"KAFKA_SASL_MECHANISM: one of {', '.join(_MECHANISMS)}"]
        wrong = [f"{name}: needed, since KAFKA_SASL_MECHANISM is set" for name, value in user.items() if not value]
        if not (self.tls or self.sasl_without_tls):
            wrong.append("KAFKA_TLS: has to be true, since KAFKA_SASL_MECHANISM is set; or set KAFKA_SASL_WITHOUT_TLS "
                         "to true where nobody else hears the network")  # fmt: skip
        return wrong


def told_by_environment() -> Told:
    """What the environment of a tool says: the variables that services read too, with ROSSIO_ before them or without.

    Raises:
        Invalid: one that is true or false is neither.
    """
    return Told(
        tls=_boolean("KAFKA_TLS"),
        tls_authority=_path("KAFKA_TLS_AUTHORITY"),
        tls_certificate=_path("KAFKA_TLS_CERTIFICATE"),
        tls_key=_path("KAFKA_TLS_KEY"),
        sasl_mechanism=_variable("KAFKA_SASL_MECHANISM"),
        sasl_username=_variable("KAFKA_SASL_USERNAME"),
        sasl_password=_variable("KAFKA_SASL_PASSWORD"),
        sasl_without_tls=_boolean("KAFKA_SASL_WITHOUT_TLS"),
    )


def _variable(name: str) -> str:
    return os.environ.get(f"ROSSIO_{name}") or os.environ.get(name, "")


def _path(name: str) -> Path | None:
    value = _variable(name)
    return Path(value) if value else None


def _boolean(name: str) -> bool:
    value = _variable(name).lower()
    if value not in _BOOLEANS:
        raise Invalid(f"{name}: true or false", reason="KAFKA_SECURITY")
    return _BOOLEANS[value]


def _try(tls: Tls) -> None:
    """Says now, not at each connection, which file is not what it has to be."""
    for name, part in (("AUTHORITY", Tls(tls.authority)), ("CERTIFICATE", Tls(None, tls.certificate, tls.key))):
        try:
            part.as_they_are()
        except OSError:  # and ssl.SSLError, which is one
            files = " and ".join(str(path) for path in (part.authority, part.certificate, part.key) if path)
            what = "a certificate" if name == "AUTHORITY" else "a certificate and its key"
            raise Invalid(f"KAFKA_TLS_{name}: no PEM of {what} in {files}", reason="KAFKA_SECURITY") from None


class Discreet(logging.Filter):
    """Keeps back what the client library says of the bytes with which a user is authenticated: PLAIN's password."""

    def filter(self, record: logging.LogRecord) -> bool:
        return "SaslAuthenticate" not in record.getMessage()


def keep_secrets() -> None:
    """At level debug a client logs every request as it is."""
    logger = logging.getLogger("aiokafka.conn")
    if not any(isinstance(each, Discreet) for each in logger.filters):
        logger.addFilter(Discreet())
