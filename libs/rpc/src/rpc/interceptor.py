"""What every call goes through, fused into one function per method and compiled when the server starts:

token -> rule -> deadline -> parse and validate -> request_id -> handler -> error mapping, inside a
span and the duration metric. It takes the place of the handler that the generated code registers, so
a call pays for no chain of interceptors, and nothing of a request is parsed before its caller is known.
"""

import asyncio
import contextlib
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeAlias

import grpc
import telemetry
from errors import Invalid, RossioError, Transient
from google.protobuf.message import DecodeError, Message
from grpc import StatusCode, aio
from telemetry import semconv

from rpc.failures import SERVER_FAULTS, Failure, failure_of, internal, out_of_time
from rpc.identity import Call, enter
from rpc.rules import Method
from rpc.validation import checks, invalid_fields, validate
from rpc.verifier import Verifier

log = telemetry.logger(__name__)

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context = aio.ServicerContext[Any, Any]
Work = Callable[[Call], Awaitable[Any]]


class Load:
    """The calls that a server has in hand, and the way to end those that would not end by themselves."""

    def __init__(self) -> None:
        self.count = 0
        self.draining = asyncio.Event()
        self._endless: set[asyncio.Task[Any]] = set()

    def drain(self) -> None:
        """Ends the calls that have no deadline, such as a watch of an inbox; their callers come again."""
        self.draining.set()
        for task in self._endless:
            task.cancel()

    @contextlib.contextmanager
    def endless(self) -> Iterator[None]:
        """Marks the call in hand as one that has no deadline."""
        task = asyncio.current_task()
        assert task is not None
        self._endless.add(task)
        try:
            yield
        finally:
            self._endless.discard(task)


class Interceptor:
    """The way of a call into one method, and of its errors out of it."""

    def __init__(self, method: Method, verifier: Verifier, load: Load) -> None:
        self._method = method
        self._door = method.door
        self._verifier = verifier
        self._load = load
        self._parse = method.request.FromString
        self._validates = bool(checks(method.request.DESCRIPTOR))
        self._attributes = {semconv.RPC_SYSTEM_NAME: "grpc", semconv.RPC_METHOD: method.name}
        self._durations: dict[StatusCode, telemetry.Spread] = {}

    def around(self, handler: Handler) -> Handler:
        """Returns a handler that takes requests as bytes and runs the given one behind this way."""
        serialize = handler.response_serializer
        if self._method.client_streaming:
            if self._method.server_streaming:
                serve = self._streaming_request(_streamed(handler.stream_stream))
                return grpc.stream_stream_rpc_method_handler(serve, response_serializer=serialize)
            serve = self._streaming_request(handler.stream_unary)
            return grpc.stream_unary_rpc_method_handler(serve, response_serializer=serialize)
        if self._method.server_streaming:
            serve = self._single_request(_streamed(handler.unary_stream))
            return grpc.unary_stream_rpc_method_handler(serve, response_serializer=serialize)
        serve = self._single_request(handler.unary_unary)
        return grpc.unary_unary_rpc_method_handler(serve, response_serializer=serialize)

    def _single_request(self, handler: Any) -> Any:
        async def serve(raw: bytes, context: Context) -> Any:
            async def work(call: Call) -> Any:
                return await handler(self._read(raw, call, first=True), context)

            return await self._serve(context, work)

        return serve

    def _streaming_request(self, handler: Any) -> Any:
        async def serve(raw: AsyncIterator[bytes], context: Context) -> Any:
            async def work(call: Call) -> Any:
                messages = self._messages(raw, call)
                if self._door.writes:
                    first = await anext(messages, None)
                    if first is None:
                        raise Invalid("the stream ended before its first message", reason="EMPTY_STREAM")
                    messages = _chained(first, messages)
                return await handler(messages, context)

            return await self._serve(context, work)

        return serve

    async def _messages(self, raw: AsyncIterator[bytes], call: Call) -> AsyncIterator[Message]:
        first = True
        async for message in raw:
            yield self._read(message, call, first=first)
            first = False

    def _read(self, raw: bytes, call: Call, *, first: bool) -> Message:
        """Parses and checks one request message, and takes the request_id from the first of a call.

        Raises:
            Invalid: it cannot be parsed, a field is not as it must be, or the request_id is missing.
        """
        try:
            message: Message = self._parse(raw)
        except DecodeError:
            raise Invalid(f"this is no {self._method.request.DESCRIPTOR.full_name}", reason="MALFORMED") from None
        if self._validates:
            validate(message)
        if first and self._door.writes:
            call.request_id = self._method.request_id(message)
            if not call.request_id:
                raise invalid_fields({self._method.request_id_path: "is required: the method writes (AIP-155)"})
        return message

    async def _serve(self, context: Context, work: Work) -> Any:
        started = time.perf_counter()
        token, traceparent = _metadata(context)
        failure: Failure | None = None
        response = None
        code = StatusCode.CANCELLED
        self._load.count += 1
        try:
            with telemetry.span(
                self._method.name, kind=telemetry.Kind.SERVER, attributes=self._attributes, parent=traceparent
            ) as span:
                try:
                    response = await self._admitted(context, token, work)
                    code = StatusCode.OK
                except aio.AbortError:
                    code = context.code()
                    raise
                except RossioError as error:
                    failure = failure_of(error)
                except _OutOfTime as error:
                    failure = out_of_time(error.seconds)
                except asyncio.CancelledError:
                    if not self._load.draining.is_set() or context.cancelled():
                        raise
                    _uncancel()
                    failure = failure_of(Transient("the server is going down; call again", reason="DRAINING"))
                except Exception:
                    log.exception("a handler failed", rpc_method=self._method.name)
                    failure = internal(span.trace_id)
                if failure is not None:
                    code = failure.code
                    if code in SERVER_FAULTS:
                        span.fail(failure.reason)
                span.set(semconv.RPC_STATUS_CODE, code.name)
        finally:
            self._load.count -= 1
            self._duration(code).observe(time.perf_counter() - started)
        if failure is not None:
            await context.abort(failure.code, failure.message, failure.trailer())
        return response

    async def _admitted(self, context: Context, token: str, work: Work) -> Any:
        caller = self._verifier.known(token) or await self._verifier.verify(token)
        self._door.admit(caller)
        call = Call(caller, self._method.path)
        enter(call)
        left: float | None = context.time_remaining()
        seconds = self._door.seconds
        if left is not None and (seconds is None or left <= seconds):
            call.ends_at = time.monotonic() + left
            return await work(call)  # gRPC itself ends the call when the caller's deadline is over
        if seconds is None:
            with self._load.endless():
                return await work(call)
        call.ends_at = time.monotonic() + seconds
        try:
            async with asyncio.timeout(seconds) as timer:
                return await work(call)
        except TimeoutError:
            if timer.expired():
                raise _OutOfTime(seconds) from None
            raise

    def _duration(self, code: StatusCode) -> telemetry.Spread:
        found = self._durations.get(code)
        if found is None:
            found = telemetry.names.RPC_SERVER.bind(rpc_method=self._method.name, rpc_status_code=code.name)
            self._durations[code] = found
        return found


class _OutOfTime(Exception):
    """The rule's deadline is over."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


def _metadata(context: Context) -> tuple[str, str | None]:
    """Returns the bearer token, empty where there is none, and the traceparent."""
    token, traceparent = "", None
    for key, value in context.invocation_metadata() or ():
        if key == "authorization" and isinstance(value, str) and value[:7].lower() == "bearer ":
            token = value[7:]
        elif key == "traceparent" and isinstance(value, str):
            traceparent = value
    return token, traceparent


def _streamed(handler: Any) -> Any:
    """Returns the handler of streamed responses as a coroutine that writes them."""
    if not inspect.isasyncgenfunction(handler):
        return handler

    async def write(request: Any, context: Context) -> None:
        async with contextlib.aclosing(handler(request, context)) as responses:
            async for response in responses:
                await context.write(response)

    return write


async def _chained(first: Message, rest: AsyncIterator[Message]) -> AsyncIterator[Message]:
    yield first
    async for message in rest:
        yield message


def _uncancel() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.uncancel()
