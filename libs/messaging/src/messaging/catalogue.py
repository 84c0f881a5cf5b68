"""The streams of the suite, as topics.yaml names them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, cached_property
from importlib import import_module, resources
from pkgutil import iter_modules
from typing import Any

from errors import Invalid
from google.protobuf import symbol_database
from google.protobuf.message import Message

EVERY_SERVICE = "*"
_MAX_MESSAGE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Stream:
    """The history of one kind of thing: a Kafka topic whose order holds per key."""

    name: str
    about: str
    key: str
    """Path of the field whose value is the record key, for example "post.post_id"."""
    partitions: int
    """In production; the embedded broker takes fewer."""
    retention: timedelta | None
    """None: compacted, the last record of a key is kept for ever."""
    max_message_bytes: int
    """The largest record, in bytes."""
    events: frozenset[str]
    """Full names of the message types that may be on it."""
    producer: str
    """The one service that publishes, or "*" for every service."""
    consumers: tuple[str, ...]
    followers: tuple[str, ...]

    def group(self, service: str) -> str:
        """The consumer group in which a service settles this stream."""
        return f"{service}.{self.name}"

    @property
    def max_letter_bytes(self) -> int:
        """The largest dead letter, in bytes: a record and headers that say why."""
        return self.max_message_bytes + (64 << 10)

    def dead_letters(self, service: str) -> str:
        """The topic of the records that a service could not settle otherwise."""
        return f"{self.name}.{service}.dlq"


@dataclass(frozen=True)
class Catalogue:
    """Every stream, by its name."""

    streams: Mapping[str, Stream]
    devstack_partitions: int
    """The most partitions of a topic on the embedded broker."""

    def stream(self, name: str) -> Stream:
        """The stream of that name; raises Invalid when topics.yaml names none."""
        if name not in self.streams:
            raise Invalid(f"no stream {name!r} in topics.yaml", reason="STREAM_UNKNOWN")
        return self.streams[name]

    def stream_of(self, event: str) -> Stream:
        """The one stream that may hold events of this type.

        Raises:
            Invalid: it is on no stream, or on several, so that the caller has to choose.
        """
        found = self._streams_by_event.get(event, ())
        if len(found) != 1:
            names = ", ".join(stream.name for stream in found) or "none"
            raise Invalid(f"{event} is on {names}: name the stream", reason="STREAM_AMBIGUOUS")
        return found[0]

    @cached_property
    def _streams_by_event(self) -> dict[str, tuple[Stream, ...]]:
        found: dict[str, tuple[Stream, ...]] = {}
        for stream in self.streams.values():
            for event in stream.events:
                found[event] = (*found.get(event, ()), stream)
        return found


@cache
def catalogue() -> Catalogue:
    """The streams of the topics.yaml that the installed contracts carry."""
    document = json.loads((resources.files("rossio") / "topics.json").read_bytes())
    return Catalogue(
        streams={name: _stream(name, entry) for name, entry in document["streams"].items()},
        devstack_partitions=document["devstack_partitions"],
    )


@cache
def event_class(name: str) -> type[Message]:
    """The message class of a full proto name, for example "rossio.mail.v1.MessageAccepted".

    Raises:
        Invalid: the contracts hold no such message.
    """
    package = name.rpartition(".")[0]
    try:
        modules = iter_modules(import_module(package).__path__)
        for module in modules:
            if module.name.endswith("_pb2"):
                import_module(f"{package}.{module.name}")
        return symbol_database.Default().GetSymbol(name)
    except (ImportError, KeyError, ValueError) as error:
        raise Invalid(f"the contracts hold no message {name!r}", reason="EVENT_UNKNOWN") from error


def _stream(name: str, entry: Mapping[str, Any]) -> Stream:
    return Stream(
        name=name,
        about=entry["about"],
        key=entry["key"],
        partitions=entry["partitions"],
        retention=_retention(entry["retention"]),
        max_message_bytes=entry.get("max_message_bytes", _MAX_MESSAGE_BYTES),
        events=frozenset(entry["events"]),
        producer=entry["producer"],
        consumers=tuple(entry.get("consumers", ())),
        followers=tuple(entry.get("followers", ())),
    )


def _retention(text: str) -> timedelta | None:
    """Days of an ISO 8601 duration such as "P30D"; other units are not used."""
    if text == "compact":
        return None
    if not (text.startswith("P") and text.endswith("D")):
        raise Invalid(f"retention {text!r} is neither days (P30D) nor compact", reason="RETENTION")
    return timedelta(days=int(text[1:-1]))
