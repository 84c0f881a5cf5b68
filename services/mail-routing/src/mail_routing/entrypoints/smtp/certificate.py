"""The server's certificate, read again when its files were replaced."""

import ssl
from pathlib import Path

import telemetry

_log = telemetry.logger(__name__)


def following(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """A context whose new connections follow the files; those that are up keep what they began with.

    What cannot be read, or does not fit together, is reported, and the certificate before it goes on. The first
    one has to be right: `OSError` (`ssl.SSLError` is one) when it is not.
    """
    outer = _read(certificate, key)
    current, seen = outer, _stamps(certificate, key)

    def choose(connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _outer: ssl.SSLContext) -> None:
        nonlocal current, seen
        try:
            stamps = _stamps(certificate, key)
            if stamps != seen:
                current, seen = _read(certificate, key), stamps
        except OSError as trouble:  # in the middle of a replacement the two files do not fit
            _log.warning("the new certificate cannot be used", error_type=type(trouble).__name__)
        connection.context = current

    # Called with each ClientHello, whether it names a server or not.
    outer.sni_callback = choose
    return outer


def _read(certificate: Path, key: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    return context


def _stamps(*paths: Path | None) -> tuple[tuple[int, int], ...]:
    found = (path.stat() for path in paths if path is not None)
    return tuple((stat.st_mtime_ns, stat.st_ino) for stat in found)
