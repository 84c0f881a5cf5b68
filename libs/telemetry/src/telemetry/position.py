"""Where in a trace the running code is (W3C Trace Context)."""

import random
import re
from contextvars import ContextVar

Value = str | bool | int | float


class Span:
    """A position in a trace that is not recorded here: unsampled, or of another process.

    The ids of one that begins here are drawn when somebody asks for them.
    """

    __slots__ = ("_span_id", "_trace_id", "sampled")
    recording = False

    def __init__(self, trace_id: str = "", span_id: str = "", *, sampled: bool = False) -> None:
        self._trace_id = trace_id
        self._span_id = span_id
        self.sampled = sampled

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits."""
        if not self._trace_id:
            self._trace_id = _hex(128)
        return self._trace_id

    @property
    def span_id(self) -> str:
        """16 hexadecimal digits."""
        if not self._span_id:
            self._span_id = _hex(64)
        return self._span_id

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"

    def set(self, name: str, value: Value) -> None:
        """Sets an attribute; its name is one of semconv.ATTRIBUTES."""

    def event(self, name: str) -> None:
        """Notes that something happened now."""

    def fail(self, error_type: str) -> None:
        """Marks the operation as failed with a kind of error, never with a message."""


current: ContextVar[Span | None] = ContextVar("current_span", default=None)
active = current.get
_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]([0-9a-f])").fullmatch


def _hex(bits: int) -> str:
    return f"{random.getrandbits(bits) or 1:0{bits // 4}x}"


def context_from(traceparent: str | None) -> Span | None:
    """Parses a `traceparent` header (W3C Trace Context, version 00); None where it is not one."""
    match = _TRACEPARENT(traceparent) if traceparent else None
    if match is None:
        return None
    trace_id, span_id, flags = match.groups()
    return Span(trace_id, span_id, sampled=flags in "13579bdf")


def current_traceparent() -> str:
    """Returns the `traceparent` of the current operation; empty outside any."""
    span = active()
    return span.traceparent if span is not None else ""
