"""A gRPC server: registered services behind the interceptor, health and reflection."""

import errno
import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import grpc
import telemetry
from grpc import aio
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection  # type: ignore[import-untyped]  # its stubs leave this module out

from rpc import health
from rpc.interceptor import Handler, Interceptor
from rpc.load import Load
from rpc.rules import method, methods
from rpc.tls import Tls
from rpc.verifier import Verifier

Service = tuple[Any, Callable[[Any, Any], None], str]
"""A servicer, the generated function that adds it to a server, and the full name of the service."""

MAX_MESSAGE = 4 << 20
_READ_AHEAD = 1 << 20
"""Bytes of a stream that are taken before anybody reads them; left to gRPC they grow to tens of megabytes."""
_TOKEN_KEYS = "token-keys"  # noqa: S105 - the name of a readiness check


class Server:
    """Serves gRPC services on one address.

    Args:
        services: what is served; each method carries a rule.
        verifier: says who is calling; started and stopped with the server.
        address: "host:port"; port 0 takes a free one.
        tls: the certificate to show; None serves in clear, for loopback and meshes.
        max_message: the largest message that is taken in, in bytes.
        max_calls: how many calls are served at once; a further one is RESOURCE_EXHAUSTED.

    Raises:
        ValueError: a method has no rule or no handler, or the rule asks for what cannot be.
    """

    def __init__(
        self,
        services: Sequence[Service],
        verifier: Verifier,
        *,
        address: str,
        tls: Tls | None = None,
        max_message: int = MAX_MESSAGE,
        max_calls: int = 10_000,
    ) -> None:
        self._verifier = verifier
        self._address = address
        self._tls = tls
        self._max_message = max_message
        self._load = Load(max_calls)
        self._server: aio.Server | None = None
        self._handlers = {name: self._guarded(servicer, add, name) for servicer, add, name in services}

    async def start(self) -> int:
        """Binds the address and serves; returns the port.

        Raises:
            OSError: the address cannot be had, for example because another process has it.
        """
        server = aio.server(
            options=(
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", self._max_message),
                ("grpc.max_send_message_length", -1),
                ("grpc.http2.bdp_probe", 0),
                ("grpc.http2.lookahead_bytes", _READ_AHEAD),
                ("grpc.http2.max_frame_size", _READ_AHEAD),  # a chunk of content is one frame, and not sixteen
                ("grpc.keepalive_time_ms", 30_000),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
                ("grpc.max_connection_age_ms", 1_800_000),
                ("grpc.max_connection_age_grace_ms", 3_600_000),
            )
        )
        known: Any = _Handlers()  # what generated code takes for a server
        known.handlers |= self._handlers
        health_pb2_grpc.add_HealthServicer_to_server(health.Health(self._handlers, self._load), known)
        reflection.enable_server_reflection((*self._handlers, health.SERVICE, reflection.SERVICE_NAME), known)
        server.add_generic_rpc_handlers((_Methods(known.handlers),))
        port = self._bind(server)
        await self._verifier.start()
        await self._load.start()
        telemetry.health.check(_TOKEN_KEYS, self._verifier.trouble)
        telemetry.names.RPC_IN_FLIGHT.bind().set_function(self._load.__len__)
        await server.start()
        self._server = server
        return port

    async def stop(self, grace: float = 10.0) -> None:
        """Takes no further calls and lets those in hand end, for at most `grace` seconds.

        Watches of health are told at once that the server no longer serves, and calls without a
        deadline end as UNAVAILABLE, reason DRAINING.
        """
        if self._server is None:
            return
        server, self._server = self._server, None
        await self._load.drain()
        await server.stop(grace)
        await self._load.stop()
        telemetry.health.forget(_TOKEN_KEYS)
        await self._verifier.stop()

    def _guarded(self, servicer: Any, add: Callable[[Any, Any], None], name: str) -> Mapping[str, Handler]:
        """Returns the handlers of one service, each behind the interceptor that its rule makes."""
        added = _Handlers()
        add(servicer, added)
        plain = added.handlers.get(name)
        if plain is None:
            raise ValueError(f"{add.__name__} adds {', '.join(added.handlers)}, not {name}")
        rules = {described.name: (described, rule) for described, rule in methods(name)}
        bare = sorted(
            f"{name}/{called}"
            for called in plain.keys() | rules.keys()
            if called not in plain or not _ruled(rules, called)
        )
        if bare:
            raise ValueError(f"without a rule (rossio.authz.v1.rule) or a handler: {', '.join(bare)}")
        return {
            called: Interceptor(method(described, rule), self._verifier, self._load).around(plain[called])
            for called, (described, rule) in rules.items()
            if rule is not None
        }

    def _bind(self, server: aio.Server) -> int:
        try:
            if self._tls is None:
                return server.add_insecure_port(self._address)
            return server.add_secure_port(self._address, self._tls.server_credentials())
        except RuntimeError:
            raise _why_not(self._address) from None


def _ruled(rules: Mapping[str, tuple[Any, Any]], called: str) -> bool:
    return called in rules and rules[called][1] is not None


class _Handlers:
    """Stands in for a server and keeps the handlers that generated code adds to it, by service and method."""

    def __init__(self) -> None:
        self.handlers: dict[str, Mapping[str, Handler]] = {}

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, Handler]) -> None:
        self.handlers[service_name] = method_handlers

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """The generated code adds the same handlers a second time, for old servers."""


class _Methods(grpc.GenericRpcHandler):
    """All methods of a server in one look-up.

    For each method that is registered by itself, gRPC's server on asyncio keeps a task that waits for its next call,
    and goes through all of these at each call: with the twenty of a small service a tenth of what a call costs.
    """

    def __init__(self, handlers: Mapping[str, Mapping[str, Handler]]) -> None:
        self._handlers = {f"/{name}/{called}": some[called] for name, some in handlers.items() for called in some}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return self._handlers.get(handler_call_details.method)


def _why_not(address: str) -> OSError:
    """Returns why an address cannot be bound, which gRPC only logs: it tries with a socket of its own."""
    host, _, port = address.rpartition(":")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host.strip("[]") or None, port, type=socket.SOCK_STREAM)[
            0
        ]
        with socket.socket(family, kind, protocol) as probe:
            probe.bind(place)
    except OSError as error:
        return OSError(error.errno, f"{address} cannot be bound: {error.strerror}")
    return OSError(errno.EADDRNOTAVAIL, f"{address} cannot be bound: {os.strerror(errno.EADDRNOTAVAIL)}")
