"""What every call goes through, fused into one function per method and compiled when the server starts:

token -> rule -> deadline -> parse and validate -> request_id -> handler -> error mapping, inside a
span and the duration metric. It takes the place of the handler that the generated code registers, so
a call pays for no chain of interceptors, and nothing of a request is parsed before its caller is known.
"""

import contextlib
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import lru_cache, partial
from typing import Any, TypeAlias

import grpc
import telemetry
from errors import Invalid, RossioError
from google.protobuf.message import DecodeError, Message
from grpc import StatusCode, aio
from telemetry import semconv

from rpc.failures import SERVER_FAULTS, Failure, failure_of, internal
from rpc.identity import Call, Caller, enter
from rpc.load import Load
from rpc.rules import Method
from rpc.validation import checks, invalid_fields, validate
from rpc.verifier import Verifier

log = telemetry.logger(__name__)

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context = aio.ServicerContext[Any, Any]
Work = Callable[[Any, Context, Call], Awaitable[Any]]
"""Runs a handler: on the request as bytes, or on the stream of them."""


class Interceptor:
    """The way of a call into one method, and of its errors out of it."""

    def __init__(self, method: Method, verifier: Verifier, load: Load) -> None:
        self._method = method
        self._door = method.door
        self._verifier = verifier
        self._load = load
        self._parse = method.request.FromString
        self._checks = checks(method.request.DESCRIPTOR)
        self._attributes = {semconv.RPC_SYSTEM_NAME: "grpc", semconv.RPC_METHOD: method.name}
        self._durations: dict[StatusCode, telemetry.Spread] = {}

    def around(self, handler: Handler) -> Handler:
        """Returns a handler that takes requests as bytes and runs the given one behind this way."""
        serialize = handler.response_serializer
        if self._method.client_streaming and self._method.server_streaming:
            serve = partial(self._serve, self._stream_into(_streamed(handler.stream_stream)))
            return grpc.stream_stream_rpc_method_handler(serve, response_serializer=serialize)
        if self._method.client_streaming:
            serve = partial(self._serve, self._stream_into(handler.stream_unary))
            return grpc.stream_unary_rpc_method_handler(serve, response_serializer=serialize)
        if self._method.server_streaming:
            serve = partial(self._serve, self._message_into(_streamed(handler.unary_stream)))
            return grpc.unary_stream_rpc_method_handler(serve, response_serializer=serialize)
        serve = partial(self._serve, self._message_into(handler.unary_unary))
        return grpc.unary_unary_rpc_method_handler(serve, response_serializer=serialize)

    def _message_into(self, handler: Any) -> Work:
        async def work(raw: bytes, context: Context, call: Call) -> Any:
            return await handler(self._read(raw, call, first=True), context)

        return work

    def _stream_into(self, handler: Any) -> Work:
        async def work(raw: AsyncIterator[bytes], context: Context, call: Call) -> Any:
            messages = self._messages(raw, call)
            if self._door.writes:
                first = await anext(messages, None)
                if first is None:
                    raise Invalid("the stream ended before its first message", reason="EMPTY_STREAM")
                messages = _chained(first, messages)
            return await handler(messages, context)

        return work

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
        if self._checks:
            validate(message, self._checks)
        if first and self._door.writes:
            call.request_id = self._method.request_id(message)
            if not call.request_id:
                raise invalid_fields({self._method.request_id_path: "is required: the method writes (AIP-155)"})
        return message

    async def _serve(self, work: Work, raw: Any, context: Context) -> Any:
        started = time.monotonic()
        token, traceparent = _metadata(context)
        span = telemetry.begin(
            self._method.name, kind=telemetry.Kind.SERVER, attributes=self._attributes, parent=traceparent
        )
        telemetry.enter(span)
        caller, call, code = None, None, StatusCode.OK
        try:
            caller = self._verifier.known(token) or await self._verifier.verify(token)
            self._door.admit(caller)
            call = self._load.begin(caller, self._method.path, self._ends_at(context, started))
            enter(call)
            response = await work(raw, context, call)
        except BaseException as error:
            ended = self._load.end(call) if call is not None else None
            failure = ended or self._failure(error, span)
            if failure is None:
                code = context.code() if isinstance(error, aio.AbortError) else StatusCode.CANCELLED
                raise
            code = failure.code
        else:
            self._load.end(call)
            return response
        finally:
            self._conclude(span, caller, code, time.monotonic() - started)
        return await context.abort(failure.code, failure.message, failure.trailer())

    def _failure(self, error: BaseException, span: telemetry.Span) -> Failure | None:
        """Returns what the caller is told; None when the caller hung up, or a handler has told it already."""
        if isinstance(error, RossioError):
            return failure_of(error)
        if isinstance(error, aio.AbortError) or not isinstance(error, Exception):
            return None
        log.error("a handler failed", exc=error, rpc_method=self._method.name)
        return internal(span.trace_id)

    def _conclude(self, span: telemetry.Span, caller: Caller | None, code: StatusCode, seconds: float) -> None:
        duration = self._durations.get(code)
        if duration is None:
            duration = telemetry.names.RPC_SERVER.bind(rpc_method=self._method.name, rpc_status_code=code.name)
            self._durations[code] = duration
        duration.observe(seconds)
        _calls_of(caller.entity_id if caller else "", code).inc()
        if span.recording:
            span.set(semconv.RPC_STATUS_CODE, code.name)
            if code in SERVER_FAULTS:
                span.fail(code.name)
            telemetry.finish(span)

    def _ends_at(self, context: Context, started: float) -> float | None:
        """Returns the earlier of the caller's deadline and the rule's, on the monotonic clock."""
        left: float | None = context.time_remaining()
        limit = self._door.seconds
        if left is None or (limit is not None and limit < left):
            left = limit
        return None if left is None else started + left


@lru_cache(maxsize=1024)
def _calls_of(entity_id: str, code: StatusCode) -> telemetry.Count:
    outcome = "ok" if code is StatusCode.OK else "fault" if code in SERVER_FAULTS else "refused"
    return telemetry.names.RPC_BY_ENTITY.bind(entity=entity_id or "none", outcome=outcome)


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
