"""Addresses to listen on."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from errors import RossioError


class CannotStart(RossioError):
    """The process cannot run here as it is; the message is one line that says what to do."""

    default_reason = "CANNOT_START"


def host_and_port(address: str) -> tuple[str, int]:
    """The parts of `host:port`; an IPv6 host stands in brackets, and an empty one is every interface."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


@contextmanager
def binding(address: str, setting: str) -> Iterator[None]:
    """Wraps the binding of an address, so that one that cannot be had ends the process with one line."""
    try:
        yield
    except OSError as error:
        why = {
            errno.EADDRINUSE: f"{address} is in use: stop what listens there, or set {setting} to another address",
            errno.EACCES: f"{address} may not be bound by this user: set {setting} to a port above 1023",
            errno.EADDRNOTAVAIL: f"{address} is no address of this machine: set {setting} to one that is",
        }.get(error.errno or 0)
        if why is None:
            raise
        raise CannotStart(why) from None


def check_free(address: str, setting: str) -> None:
    """CannotStart when the address cannot be bound now, so that nobody waits for a broker to hear it."""
    host, port = host_and_port(address)
    with binding(address, setting):
        family, kind, protocol, _, place = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
