"""A channel to a server of the suite: token, trace and deadline go with every call.

It wraps the stubs' callables instead of using gRPC's client interceptors, which put a task and a
queue into every call.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import telemetry
from grpc import ChannelConnectivity, StatusCode, aio
from telemetry import semconv

from rpc.identity import time_left
from rpc.tls import Tls

_T = TypeVar("_T")
Token = Callable[[], str]
UNARY_TIMEOUT = 10.0
GRACE = 60.0
"""Seconds that calls in hand have to end on a channel whose certificates were renewed; longer streams begin again."""

_AWAY = (StatusCode.UNAVAILABLE, StatusCode.CANCELLED)
"""How a server that is not there answers; CANCELLED is of one that stops, for calls which it had not yet taken up."""
_WAITS = (0.1, 0.3, 0.9, 1.0)
_BALANCED: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
_REPEATED: dict[str, Any] = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": len(_WAITS) + 1,
                "initialBackoff": f"{_WAITS[0]}s",
                "maxBackoff": f"{_WAITS[-1]}s",
                "backoffMultiplier": 3,
                "retryableStatusCodes": [code.name for code in _AWAY],
            },
        }
    ]
}
"""Calls that found the server away are repeated; a write is one effect by its request_id.

Streams of requests are not, and so have a connection of their own: gRPC (1.85) aborts the whole process when such a
stream under a policy of retries is refused while it still sends ("promise_based_filter.cc: ILLEGAL STATE").
Nor could it repeat more than the 256 KiB that it keeps. Who sends a stream asks where to go on, or uses `repeated`."""


def channel(
    address: str,
    *,
    token: Token | None = None,
    tls: Tls | None = None,
    timeout: float = UNARY_TIMEOUT,
    max_message: int = 64 << 20,
) -> aio.Channel:
    """Opens a channel; it connects when the first call is made.

    Args:
        address: "host:port", or a name that gRPC resolves to several, such as "dns:///mail:7000".
        token: gives the bearer token, for each call anew.
        tls: None calls in clear. Renewed files are taken up by the next call; calls in hand end on what they began.
        timeout: seconds that a unary call may take where the caller says nothing; never longer than
            what is left of the call in whose handler this is. Streams have the latter limit alone.
        max_message: the largest response message, in bytes.
    """
    options = (
        ("grpc.max_receive_message_length", max_message),
        ("grpc.max_send_message_length", -1),
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        ("grpc.use_local_subchannel_pool", 1),
    )

    def connect(config: dict[str, Any]) -> aio.Channel:
        configured = (*options, ("grpc.service_config", json.dumps(config)))
        if tls is None:
            return aio.insecure_channel(address, options=configured)
        return aio.secure_channel(address, tls.channel_credentials(), options=configured)

    repeated = _Connection(partial(connect, _BALANCED | _REPEATED), tls)
    once = _Connection(partial(connect, _BALANCED), tls)
    return Channel(repeated, once, token, timeout)


async def repeated(call: Callable[[], Awaitable[_T]]) -> _T:
    """Makes a call with a stream of requests, and makes it anew where the server is away, five times in all.

    Channels do so themselves for calls of one request. The request has to be one effect however often it is made.
    """
    for wait in _WAITS:
        try:
            return await call()
        except aio.AioRpcError as error:
            if error.code() not in _AWAY:
                raise
        await asyncio.sleep(wait)
    return await call()


def token_file(path: Path) -> Token:
    """Returns a source of the token in a file, which is read again when it was replaced (projected tokens)."""
    token, stamp = "", 0

    def read() -> str:
        nonlocal token, stamp
        changed = path.stat().st_mtime_ns
        if changed != stamp:
            token, stamp = path.read_text().strip(), changed
        return token

    return read


class _Connection:
    """The channel beneath, made anew when the certificates that it rests on were replaced."""

    def __init__(self, connect: Callable[[], aio.Channel], tls: Tls | None) -> None:
        self._connect = connect
        self._tls = tls
        self._stamps = tls.stamps() if tls else ()
        self._channel = connect()
        self._ending: set[asyncio.Task[None]] = set()

    def current(self) -> aio.Channel:
        if self._tls is not None:
            try:
                if (stamps := self._tls.stamps()) != self._stamps:
                    renewed = self._connect()
                    self._end(self._channel)
                    self._channel, self._stamps = renewed, stamps
            except OSError:
                pass  # in the middle of being replaced
        return self._channel

    def _end(self, channel: aio.Channel) -> None:
        ending = asyncio.ensure_future(channel.close(GRACE))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def close(self, grace: float | None) -> None:
        for ending in self._ending:
            ending.cancel()
        await self._channel.close(grace)


class _Callable:
    """One method of a stub."""

    def __init__(
        self,
        connection: _Connection,
        bind: Callable[[aio.Channel], Any],
        path: str,
        token: Token | None,
        timeout: float | None,
    ) -> None:
        self._connection = connection
        self._bind = bind
        self._channel = connection.current()
        self._call = bind(self._channel)
        self._name = path.lstrip("/")
        self._token = token
        self._timeout = timeout
        self._attributes = {semconv.RPC_SYSTEM_NAME: "grpc", semconv.RPC_METHOD: self._name}

    def __call__(
        self, request: Any = None, *, timeout: float | None = None, metadata: Any = None, **further: Any
    ) -> Any:
        span = telemetry.begin(self._name, kind=telemetry.Kind.CLIENT, attributes=self._attributes)
        pairs = [*(metadata or ()), ("traceparent", span.traceparent)]
        if self._token is not None and not any(key == "authorization" for key, _ in pairs):
            pairs.append(("authorization", f"Bearer {self._token()}"))
        if (channel := self._connection.current()) is not self._channel:
            self._channel, self._call = channel, self._bind(channel)
        limits = [limit for limit in (timeout or self._timeout, time_left()) if limit is not None]
        call = self._call(request, timeout=min(limits, default=None), metadata=tuple(pairs), **further)
        started = time.perf_counter()

        def done(call: Any) -> None:
            code = _known(call.code()) or StatusCode.UNKNOWN
            span.set(semconv.RPC_STATUS_CODE, code.name)
            if code is not StatusCode.OK:
                span.fail(code.name)
            telemetry.finish(span)
            telemetry.names.RPC_CLIENT.bind(rpc_method=self._name, rpc_status_code=code.name).observe(
                time.perf_counter() - started
            )

        call.add_done_callback(done)
        return call


def _known(answer: Coroutine[Any, Any, _T]) -> _T | None:
    """Returns what a call that is over answers without waiting, or None."""
    try:
        answer.send(None)
    except StopIteration as stop:
        known: _T = stop.value
        return known
    answer.close()
    return None


_OF_ITS_OWN = "Internal error from Core"


class _Upload:
    """A stream of requests with one response. What refused it is the error, also while it still sends.

    A write that fails since the call is over makes grpc.aio (1.85) put a status of its own in the place of the
    server's, if that came first (grpc/grpc#36066).
    """

    def __init__(self, call: Any) -> None:
        self._call = call
        self._refusal: aio.AioRpcError | None = None
        call.add_done_callback(self._keep)

    def _keep(self, call: Any) -> None:
        if (code := _known(call.code())) and code is not StatusCode.OK:
            initial, trailing = _known(call.initial_metadata()), _known(call.trailing_metadata())
            self._refusal = aio.AioRpcError(
                code, initial or aio.Metadata(), trailing or aio.Metadata(), _known(call.details())
            )

    def __await__(self) -> Generator[Any, None, Any]:
        try:
            return (yield from self._call.__await__())
        except aio.AioRpcError as error:
            if self._refusal and error.details() == _OF_ITS_OWN:
                raise self._refusal from None
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)


class Channel(aio.Channel):
    """A channel whose callables add token, traceparent and deadline."""

    def __init__(self, repeated: _Connection, once: _Connection, token: Token | None, timeout: float) -> None:
        self._repeated = repeated
        self._once = once
        self._token = token
        self._timeout = timeout

    def unary_unary(self, method: str, *args: Any, **named: Any) -> Any:
        return self._callable(self._repeated, "unary_unary", method, self._timeout, *args, **named)

    def unary_stream(self, method: str, *args: Any, **named: Any) -> Any:
        return self._callable(self._repeated, "unary_stream", method, None, *args, **named)

    def stream_unary(self, method: str, *args: Any, **named: Any) -> Any:
        return self._callable(self._once, "stream_unary", method, None, *args, **named)

    def stream_stream(self, method: str, *args: Any, **named: Any) -> Any:
        return self._callable(self._once, "stream_stream", method, None, *args, **named)

    def _callable(
        self, connection: _Connection, kind: str, method: str, timeout: float | None, *args: Any, **named: Any
    ) -> _Callable:
        def bind(channel: aio.Channel) -> Any:
            call = getattr(channel, kind)(method, *args, **named)
            return call if kind != "stream_unary" else lambda *request, **more: _Upload(call(*request, **more))

        return _Callable(connection, bind, method, self._token, timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        await asyncio.gather(self._repeated.close(grace), self._once.close(grace))

    def get_state(self, try_to_connect: bool = False) -> ChannelConnectivity:
        return self._repeated.current().get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: ChannelConnectivity) -> None:
        await self._repeated.current().wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._repeated.current().channel_ready()
