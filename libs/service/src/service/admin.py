"""The admin port: metrics, probes and the log level, over plain HTTP/1.1 (RFC 9112).

It answers one request a connection and asks for no token: it belongs to the operator's network.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import telemetry

from service.addresses import binding, host_and_port

_PATIENCE_SECONDS: Final = 5.0
_LONGEST_HEAD: Final = 16 << 10
_LONGEST_BODY: Final = 64
_TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    headers: dict[str, str]
    body: str


@dataclass(frozen=True, slots=True)
class _Answer:
    status: HTTPStatus
    body: bytes
    content_type: str = _TEXT
    allow: str = ""


class Admin:
    """Serves `/metrics`, `/livez`, `/readyz` and `/log-level`."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        host, port = host_and_port(self._address)
        with binding(self._address, "ADMIN_ADDRESS"):
            self._server = await asyncio.start_server(self._serve, host or None, port, limit=_LONGEST_HEAD)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    request = await _read(reader)
                    writer.write(_encoded(_answer(request), with_body=request.method != "HEAD"))
                    await writer.drain()
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> _Request:
    """One request; ValueError when it is none, or longer than anything that is asked here."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", "0"))
    if not 0 <= length <= _LONGEST_BODY:
        raise ValueError("the body is too long")
    body = (await reader.readexactly(length)).decode("ascii")
    return _Request(method, target.partition("?")[0], headers, body)


def _answer(request: _Request) -> _Answer:
    if request.path not in _ROUTES:
        return _Answer(HTTPStatus.NOT_FOUND, f"there are {', '.join(_ROUTES)}\n".encode())
    methods, answer = _ROUTES[request.path]
    if request.method not in methods:
        allow = ", ".join(methods)
        return _Answer(HTTPStatus.METHOD_NOT_ALLOWED, f"only {allow}\n".encode(), allow=allow)
    return answer(request)


def _liveness(_: _Request) -> _Answer:
    """The loop turns, or this would not be said."""
    return _Answer(HTTPStatus.OK, b"live\n")


def _metrics(request: _Request) -> _Answer:
    content_type, body = telemetry.exposition(request.headers.get("accept", ""))
    return _Answer(HTTPStatus.OK, body, content_type)


def _readiness(_: _Request) -> _Answer:
    """Each check that does not hold, a line each: its name and what it says."""
    troubles = [f"{name}: {trouble}\n" for name, trouble in telemetry.health.report().items() if trouble is not None]
    if troubles:
        return _Answer(HTTPStatus.SERVICE_UNAVAILABLE, "".join(troubles).encode())
    return _Answer(HTTPStatus.OK, b"ready\n")


def _log_level(request: _Request) -> _Answer:
    level = request.body.strip()
    try:
        telemetry.set_log_level(level)
    except ValueError as error:
        return _Answer(HTTPStatus.BAD_REQUEST, f"{error}\n".encode())
    return _Answer(HTTPStatus.OK, f"{level}\n".encode())


_ROUTES: Final[Mapping[str, tuple[tuple[str, ...], Callable[[_Request], _Answer]]]] = {
    "/metrics": (("GET", "HEAD"), _metrics),
    "/livez": (("GET", "HEAD"), _liveness),
    "/readyz": (("GET", "HEAD"), _readiness),
    "/log-level": (("PUT",), _log_level),
}


def _encoded(answer: _Answer, *, with_body: bool) -> bytes:
    head = (
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}\r\n"
        f"Content-Type: {answer.content_type}\r\nContent-Length: {len(answer.body)}\r\n"
        f"Cache-Control: no-store\r\nConnection: close\r\n"
    )
    if answer.allow:
        head += f"Allow: {answer.allow}\r\n"
    return f"{head}\r\n".encode("latin-1") + (answer.body if with_body else b"")
