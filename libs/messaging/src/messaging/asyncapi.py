"""The AsyncAPI 3.0 document of the streams, which FastStream writes."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Union

from faststream.kafka import KafkaBroker
from faststream.specification import AsyncAPI
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from pydantic import InstanceOf, WithJsonSchema

from messaging.catalogue import EVERY_SERVICE, Stream, catalogue, event_class

_HEADERS: Final = {
    "ce_id": "The event's id, a UUIDv7.",
    "ce_type": "The full proto name of the message.",
    "ce_source": "rossio/<service>",
    "ce_subject": "The id of the thing that it happened to; the record key.",
    "ce_time": "When it happened, RFC 3339.",
    "ce_specversion": "1.0",
    "content-type": "application/protobuf",
    "entity": "The owning entity.",
    "correlationid": "The event or request with which it all began.",
    "causationid": "The event that it follows from; left out where there is none.",
    "traceparent": "W3C Trace Context; left out outside a trace.",
}


def asyncapi(*, version: str = "0", bootstrap: str = "kafka:9092") -> dict[str, Any]:
    """The document for every stream of topics.yaml: who publishes, who settles, who follows."""
    broker = KafkaBroker(bootstrap, logger=None)
    for stream in catalogue().streams.values():
        _declare(broker, stream)
    specification = AsyncAPI(
        broker,
        title="Rossio",
        version=version,
        description="CloudEvents 1.0 in Kafka's binary content mode; payloads are protobuf, shown in their JSON form.",
    )
    document: dict[str, Any] = specification.to_specification().to_jsonable()
    for part in (document, document["components"]):
        for name in ("channels", "operations", "messages", "schemas"):
            if name in part:
                part[name] = dict(sorted(part[name].items()))
    document["defaultContentType"] = "application/protobuf"
    headers = {name: {"type": "string", "description": text} for name, text in _HEADERS.items()}
    for message in document["components"]["messages"].values():
        message["headers"] = {"type": "object", "properties": headers}
        message["correlationId"] = {"location": "$message.header#/correlationid"}
    return document


def _declare(broker: KafkaBroker, stream: Stream) -> None:
    """Says on a broker that is never started who uses the stream."""
    payload = _payload(sorted(stream.events))

    async def receive(event: object) -> None:
        """Stands for the handlers, which the settling consumer calls."""

    receive.__annotations__["event"] = payload
    producer = "every service" if stream.producer == EVERY_SERVICE else stream.producer
    broker.publisher(stream.name, schema=payload, title=f"{stream.name} by {producer}", description=stream.about)
    uses: list[tuple[str, str | None]] = [(f"settled by {name}", stream.group(name)) for name in stream.consumers]
    uses += [(f"followed by {name}", None) for name in stream.followers]
    for use, group in uses:
        subscribe = broker.subscriber(
            stream.name,
            group_id=group,
            auto_offset_reset="earliest",
            title=f"{stream.name} {use}",
            description=stream.about,
        )
        subscribe(receive)


def _payload(events: Sequence[str]) -> Any:
    """The type of a handler's argument, with the JSON schema that FastStream finds in it."""
    instance_of: Any = InstanceOf
    kinds = [event_class(event) for event in events]
    shown = tuple(Annotated[instance_of[kind], WithJsonSchema(_schema(kind.DESCRIPTOR, ()))] for kind in kinds)
    return Union[shown]  # noqa: UP007 - made at run time


_SCALARS: Final[Mapping[int, Mapping[str, str]]] = {
    FieldDescriptor.CPPTYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.CPPTYPE_UINT32: {"type": "integer", "format": "int64"},
    FieldDescriptor.CPPTYPE_INT64: {"type": "string", "format": "int64"},
    FieldDescriptor.CPPTYPE_UINT64: {"type": "string", "format": "uint64"},
    FieldDescriptor.CPPTYPE_DOUBLE: {"type": "number"},
    FieldDescriptor.CPPTYPE_FLOAT: {"type": "number"},
    FieldDescriptor.CPPTYPE_BOOL: {"type": "boolean"},
}


def _schema(message: Any, outer: Sequence[str]) -> dict[str, Any]:
    """The proto3 JSON mapping of a message (protobuf.dev/programming-guides/json) as a JSON schema."""
    name = message.full_name
    if name == "google.protobuf.Timestamp":
        return {"type": "string", "format": "date-time"}
    if name in outer:
        return {"type": "object", "title": name}
    fields = {field.json_name: _field_schema(field, (*outer, name)) for field in message.fields}
    return {"type": "object", "title": name, "properties": fields}


def _field_schema(field: Any, outer: Sequence[str]) -> dict[str, Any]:
    inner: Descriptor | None = field.message_type
    if inner is not None and inner.GetOptions().map_entry:
        return {"type": "object", "additionalProperties": _one(inner.fields_by_name["value"], outer)}
    schema = _one(field, outer)
    return {"type": "array", "items": schema} if field.is_repeated else schema


def _one(field: Any, outer: Sequence[str]) -> dict[str, Any]:
    if field.message_type is not None:
        return _schema(field.message_type, outer)
    if field.enum_type is not None:
        return {"type": "string", "enum": [value.name for value in field.enum_type.values]}
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return {"type": "string"} | ({"format": "byte"} if field.type == FieldDescriptor.TYPE_BYTES else {})
    return dict(_SCALARS[field.cpp_type])
