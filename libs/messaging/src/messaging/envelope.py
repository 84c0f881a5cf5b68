"""Events on the wire: CloudEvents 1.0 in Kafka's binary content mode.

The value is the protobuf message. The headers `ce_id`, `ce_type`, `ce_source`, `ce_subject`, `ce_time` and
`ce_specversion` are those of the Kafka protocol binding; beside them travel `traceparent` (W3C Trace
Context), `entity`, `correlationid` and `causationid`. Header values are read one by one, and only the ones
named here, so that a foreign binary header harms nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from operator import attrgetter
from typing import Any, NamedTuple

import telemetry
from aiokafka import ConsumerRecord
from errors import Invalid
from google.protobuf.message import DecodeError, Message
from rossio.event.v1 import event_pb2
from store import OutboxRecord

from messaging.catalogue import EVERY_SERVICE, Stream, catalogue, event_class

UNREADABLE = "x-unreadable"
"""The one header of the stand-in for a record that the client could not read."""
UNREADABLE_REASON = "RECORD_UNREADABLE"
REDRIVE_FOR = "redrivefor"
"""First header of what was redriven: the one service that is to settle it again."""
REDRIVE_OF = "redriveof"
"""The dead letter, as topic:number."""
_TYPE = "ce_type"
_WANTED = ("ce_id", "ce_time", "correlationid", "traceparent")
"""The headers that a delivery is made of."""
_HEADER_BYTES = 4096
"""What headers and framing take of a record at most."""


class Delivery(NamedTuple):
    """One event as a handler gets it. (A tuple, since a frozen dataclass takes 1.4 us longer to make.)"""

    message: Message
    id: str
    time: datetime
    """When it happened, aware."""
    correlation_id: str
    """The event or request with which it all began."""
    traceparent: str
    """W3C Trace Context of its publisher; empty where it had none."""
    record: "ConsumerRecord[bytes, bytes]"
    attempt: int = 1
    """Counts from 1, the attempts of a batch that failed not among them."""
    fresh: bool = False
    """It was appended after this process had got the partition, and is handled for the first time: nobody has had
    it before, unless the same event stands on the stream twice."""

    @property
    def topic(self) -> str:
        topic: str = self.record.topic
        return topic

    @property
    def offset(self) -> int:
        offset: int = self.record.offset
        return offset

    @property
    def subject(self) -> str:
        """The id of the thing that it happened to, which is the record's key."""
        return (self.record.key or b"").decode()

    @property
    def payload(self) -> bytes:
        """The message as it came, byte for byte."""
        return self.record.value or b""


cause: ContextVar[Delivery | None] = ContextVar("messaging.cause", default=None)
"""The event that is being handled: what facts made now follow from."""


def fact(message: Message, *, id: str, at: datetime, stream: str | None = None) -> OutboxRecord:  # noqa: A002 - the CloudEvents word
    """An event ready for an outbox or a producer.

    It continues the trace, and the correlation of the event that is being handled.

    Args:
        message: An event of the contracts.
        id: Made by `new_id` when the fact came to be, and never again on a retry.
        at: When it happened, aware.
        stream: Needed only where the type may be on several streams.

    Raises:
        Invalid: the message is no event of the stream, has no key, or is larger than the stream takes; so what is
            in an outbox can be published.
    """
    shape = _shape(message.DESCRIPTOR.full_name, stream)
    key = shape.key(message)
    if not key and not shape.key_may_be_empty:
        raise Invalid(f"{shape.type} without the field that is its key", reason="KEY_MISSING")
    payload = message.SerializeToString()
    if len(payload) > shape.max_payload_bytes:
        raise Invalid(f"{shape.type} with {len(payload)} bytes is too large", reason="EVENT_TOO_LARGE")
    why = cause.get()
    headers = [
        *shape.headers,
        ("ce_id", id.encode()),
        ("ce_subject", key.encode()),
        ("ce_time", at.isoformat().encode()),
        ("entity", shape.entity(message).encode()),
        ("correlationid", ((why.correlation_id or why.id) if why else id).encode()),
    ]
    if why:
        headers.append(("causationid", why.id.encode()))
    if traceparent := telemetry.current_traceparent():
        headers.append(("traceparent", traceparent.encode()))
    return OutboxRecord(id=id, at=at, topic=shape.stream, key=key.encode(), payload=payload, headers=tuple(headers))


@contextmanager
def caused_by(delivery: Delivery) -> Iterator[None]:
    """Facts made inside carry on the correlation of this event.

    The consumer does it for a handler of single events; one that takes batches says it for each event.
    """
    token = cause.set(delivery)
    try:
        yield
    finally:
        cause.reset(token)


def read_type(record: "ConsumerRecord[bytes, bytes]", service: bytes = b"") -> bytes:
    """The event type, undecoded; empty for what was redriven for another service than this one.

    Raises:
        Invalid: there is none, or nothing of the record can be read.
    """
    for name, value in record.headers:
        if name == _TYPE and value:
            found: bytes = value
            return found
        if name == REDRIVE_FOR and service and value != service:
            return b""
        if name == UNREADABLE:
            raise Invalid(f"the client could not read it: {value!r}", reason=UNREADABLE_REASON)
    raise Invalid(f"no {_TYPE} header", reason="HEADER_MISSING")


def redriven(record: "ConsumerRecord[bytes, bytes]") -> bool:
    """Whether it comes from the dead letters."""
    return bool(record.headers) and record.headers[0][0] == REDRIVE_FOR


def read(
    record: ConsumerRecord[bytes, bytes], message_type: type[Message], attempt: int = 1, *, fresh: bool = False
) -> Delivery:
    """The event in a record; only the headers that it needs are decoded.

    Raises:
        Invalid: a header or the payload cannot be read, by the reason; it never will be.
    """
    payload = record.value
    if payload is None:
        raise Invalid("a record without a payload", reason="PAYLOAD_MISSING")
    try:
        message = message_type.FromString(payload)
    except DecodeError as error:
        raise Invalid(f"not a {message_type.DESCRIPTOR.full_name}", reason="PAYLOAD_UNREADABLE") from error
    try:
        event_id, time, correlation_id, traceparent = _wanted(record.headers)
        return Delivery(
            message,
            event_id.decode(),
            datetime.fromisoformat(time.decode()),
            correlation_id.decode(),
            traceparent.decode(),
            record,
            attempt,
            fresh,
        )
    except KeyError as error:
        raise Invalid(f"no {error.args[0]} header", reason="HEADER_MISSING") from error
    except (ValueError, AttributeError) as error:  # not UTF-8, not a time, or null
        raise Invalid(f"a header cannot be read: {error}", reason="HEADER_UNREADABLE") from error


def _wanted(headers: Sequence[tuple[str, bytes]]) -> tuple[bytes, ...]:
    """The values of the headers _WANTED; KeyError when one that has to be there is not.

    They are looked for where `fact` puts them, which takes 0.3 us less than a dictionary of all does.
    """
    if len(headers) > 9 and (headers[4][0], headers[6][0], headers[8][0], headers[-1][0]) == _WANTED:
        return headers[4][1], headers[6][1], headers[8][1], headers[-1][1]
    found = dict(headers)
    return found["ce_id"], found["ce_time"], found.get("correlationid", b""), found.get("traceparent", b"")


@dataclass(frozen=True, slots=True)
class _Shape:
    """What all events of one type on one stream have in common."""

    stream: str
    type: str
    headers: tuple[tuple[str, bytes], ...]
    key: Callable[[Message], str]
    entity: Callable[[Message], str]
    key_may_be_empty: bool
    """Where the key is the entity: some things belong to none."""
    max_payload_bytes: int


@cache
def _shape(event: str, stream_name: str | None) -> _Shape:
    streams = catalogue()
    stream = streams.stream(stream_name) if stream_name else streams.stream_of(event)
    if event not in stream.events:
        raise Invalid(f"{event} is no event of {stream.name}", reason="EVENT_NOT_ON_STREAM")
    descriptor = event_class(event).DESCRIPTOR
    entity = descriptor.GetOptions().Extensions[event_pb2.event].entity
    return _Shape(
        stream=stream.name,
        type=event,
        headers=(
            ("ce_type", event.encode()),
            ("ce_source", source_of(stream).encode()),
            ("ce_specversion", b"1.0"),
            ("content-type", b"application/protobuf"),
        ),
        key=_text_at(descriptor, stream.key),
        entity=_text_at(descriptor, entity),
        key_may_be_empty=entity == stream.key,
        max_payload_bytes=stream.max_message_bytes - _HEADER_BYTES,
    )


def source_of(stream: Stream) -> str:
    """The CloudEvents source: the service that publishes."""
    return "rossio" if stream.producer == EVERY_SERVICE else f"rossio/{stream.producer}"


def _text_at(descriptor: Any, path: str) -> Callable[[Message], str]:
    """Reads the string field at a dotted path."""
    *outer, last = path.split(".")
    inner = descriptor
    for name in outer:
        field = inner.fields_by_name.get(name) if inner else None
        inner = field.message_type if field else None
    if inner is None or last not in inner.fields_by_name:
        raise Invalid(f"{descriptor.full_name} has no field {path}", reason="PATH_UNKNOWN")
    return attrgetter(path)
