"""Spans and their propagation (W3C Trace Context), nearly free where a trace is not sampled.

A span here is a few slots; the OpenTelemetry SDK gets it when it has ended, in the thread that exports
(export.py). An unsampled operation costs a look at one flag: it makes no span and enters no context.
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from types import TracebackType
from typing import TYPE_CHECKING

from errors import RossioError

from telemetry import semconv
from telemetry.metrics import REFUSED
from telemetry.position import Span, Value, active, context_from, current

if TYPE_CHECKING:
    from contextvars import Token


class Kind(IntEnum):
    """The kind of a span; the numbers are those of opentelemetry.trace.SpanKind."""

    INTERNAL = 0
    SERVER = 1
    CLIENT = 2
    PRODUCER = 3
    CONSUMER = 4


class Recording(Span):
    """A span that will be exported."""

    __slots__ = ("attributes", "end_ns", "error", "events", "kind", "links", "name", "parent_id", "start_ns")
    recording = True

    def __init__(self, name: str, kind: Kind, parent: Span | None, links: Sequence[Span]) -> None:
        super().__init__(parent.trace_id if parent else "", sampled=True)
        self.name = name
        self.kind = kind
        self.parent_id = parent.span_id if parent else ""
        self.links = links
        self.attributes: dict[str, Value] = {}
        self.events: list[tuple[int, str]] = []
        self.error = ""
        self.start_ns = time.time_ns()
        self.end_ns = 0

    def set(self, name: str, value: Value) -> None:
        if name in semconv.ATTRIBUTES and not (isinstance(value, str) and "@" in value):
            self.attributes[name] = value
        else:
            REFUSED.bind(target=name if name in semconv.ATTRIBUTES else "attribute").inc()

    def event(self, name: str) -> None:
        self.events.append((time.time_ns(), name))

    def fail(self, error_type: str) -> None:
        self.error = error_type
        self.attributes[semconv.ERROR_TYPE] = error_type


class Recorder:
    """What the process does with spans: how many it samples, and where the recorded ones go."""

    __slots__ = ("ratio", "sink")

    def __init__(self) -> None:
        self.ratio = 0.0
        self.sink: Callable[[Recording], None] | None = None


recorder = Recorder()


def outcome_of(error: BaseException | None) -> str:
    """Returns the closed word for how an operation ended: "ok", a kind of RossioError, "cancelled" or "bug"."""
    if error is None:
        return "ok"
    if isinstance(error, RossioError):
        return error.default_reason.lower()
    return "bug" if isinstance(error, Exception) else "cancelled"


def begin(
    name: str,
    *,
    kind: Kind = Kind.INTERNAL,
    attributes: Mapping[str, Value] | None = None,
    parent: Span | str | None = None,
    links: Sequence[Span | str] = (),
) -> Span:
    """Begins a span without making it the current one; `finish` ends it. For what has no block of its own."""
    if parent is None:
        parent = active()
    elif isinstance(parent, str):
        parent = context_from(parent)
    positions = [at for at in map(_position, links) if at is not None] if links else ()
    if parent is not None:
        sampled = parent.sampled
    elif positions:
        sampled = any(link.sampled for link in positions)
    else:
        sampled = recorder.ratio > 0 and random.random() < recorder.ratio  # noqa: S311 - sampling
    if not sampled or recorder.sink is None:
        return parent or Span(sampled=sampled)
    span = Recording(name, kind, parent, positions)
    for key, value in (attributes or {}).items():
        span.set(key, value)
    return span


def enter(span: Span) -> None:
    """Makes a span the current one for the rest of the task; where that has a smaller scope, use `span`."""
    current.set(span)


def finish(span: Span, error: BaseException | None = None) -> None:
    """Ends a span that `begin` has returned and hands it to the exporter."""
    if not isinstance(span, Recording) or span.end_ns:
        return
    if error is not None and not span.error:
        span.fail(error.reason if isinstance(error, RossioError) else type(error).__name__)
    span.end_ns = time.time_ns()
    if recorder.sink is not None:
        recorder.sink(span)


class Operation:
    """Runs a block inside a span; its name is a word of the code and never data.

    Args:
        name: what is done, for example "mail.route".
        kind: its place between processes.
        attributes: by the names of semconv.ATTRIBUTES.
        parent: the position to continue, a span or a `traceparent`; by default the current one.
        links: positions that led here without being the parent, such as those of the events of a batch;
            where there is no parent, the span is sampled when one of them is.
        done: called at the end with name, seconds and outcome.
    """

    __slots__ = ("_attributes", "_done", "_entered", "_kind", "_links", "_name", "_parent", "_started", "_token")

    def __init__(
        self,
        name: str,
        *,
        kind: Kind = Kind.INTERNAL,
        attributes: Mapping[str, Value] | None = None,
        parent: Span | str | None = None,
        links: Sequence[Span | str] = (),
        done: Callable[[str, float, str], None] | None = None,
    ) -> None:
        self._name = name
        self._kind = kind
        self._attributes = attributes
        self._parent = parent
        self._links = links
        self._done = done
        self._token: Token[Span | None] | None = None

    def __enter__(self) -> Span:
        self._started = time.perf_counter()
        around = active()
        if around is not None and not around.sampled and self._parent is None:
            return around
        span = begin(self._name, kind=self._kind, attributes=self._attributes, parent=self._parent, links=self._links)
        self._entered = span
        self._token = current.set(span)
        return span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._done is not None:
            self._done(self._name, time.perf_counter() - self._started, outcome_of(error))
        if self._token is not None:
            current.reset(self._token)
            finish(self._entered, error)


def _position(of: Span | str | None) -> Span | None:
    return context_from(of) if isinstance(of, str) else of


span = Operation
"""Reads as what it does where it is used: `with span("mail.route"):`. (A function around it would cost 0.2 us.)"""
