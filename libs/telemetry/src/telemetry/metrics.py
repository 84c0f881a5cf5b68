"""Instruments with closed names, closed labels and a limit of children.

An instrument is declared once, in names.py, and bound once to the values of its labels; what runs per
event is `inc`, `set` or `observe` on the bound child. Children only count, without a lock: under
CPython's interpreter lock each of their updates is whole. prometheus-client shows them to a scrape
(scrape.py), and is not imported before the first one.
"""

import re
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from telemetry.position import active

OTHER = "other"
"""The value that stands for every value which a label may not take, or has no room for."""

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Bucket bounds of durations, in seconds."""


class Count:
    """A bound counter."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1) -> None:
        self.value += amount


class Level:
    """A bound gauge: it is set, or asks a function when it is looked at."""

    __slots__ = ("_read", "_value")

    def __init__(self) -> None:
        self._value = 0.0
        self._read: Callable[[], float] | None = None

    @property
    def value(self) -> float:
        return self._value if self._read is None else self._read()

    def set(self, value: float) -> None:
        self._value = value

    def inc(self, amount: float = 1) -> None:
        self._value += amount

    def dec(self, amount: float = 1) -> None:
        self._value -= amount

    def set_function(self, read: Callable[[], float]) -> None:
        self._read = read


class Exemplar(NamedTuple):
    """An observation and the trace in which it was made."""

    trace_id: str
    span_id: str
    value: float
    at: float
    """Seconds since 1970."""


class Spread:
    """A bound histogram; an observation inside a sampled span is kept as the exemplar of its bucket."""

    __slots__ = ("bounds", "counts", "exemplars", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self.exemplars: dict[int, Exemplar] = {}

    def observe(self, value: float) -> None:
        bucket = bisect_left(self.bounds, value)
        self.counts[bucket] += 1
        self.total += value
        span = active()
        if span is not None and span.sampled:
            self.exemplars[bucket] = Exemplar(span.trace_id, span.span_id, value, time.time())


Child = TypeVar("Child", bound=Count | Level | Spread)


class Instrument(Generic[Child]):
    """One declared metric. `bind` gives the child for one set of label values."""

    def __init__(
        self, name: str, about: str, labels: Mapping[str, re.Pattern[str]], make: Callable[[], Child], limit: int
    ) -> None:
        self.name = name
        self.about = about
        self.kind: type[Child] = type(make())
        self.labels = tuple(labels)
        self.children: dict[tuple[str, ...], Child] = {}
        self._shapes = labels
        self._make = make
        self._limit = limit
        INSTRUMENTS.append(self)
        if not labels:
            self.bind()

    def bind(self, **values: str) -> Child:
        """Returns the child for these label values, the same for the same values.

        A value that is not of its label's shape becomes "other", and so do all values of a child
        past the limit; both are counted in rossio_telemetry_refused_total.

        Raises:
            ValueError: the labels are not those that the instrument was declared with.
        """
        if values.keys() != self._shapes.keys():
            raise ValueError(f"{self.name} has the labels {self.labels}, not {tuple(values)}")
        key = tuple(values[label] for label in self.labels)
        child = self.children.get(key)
        return child if child is not None else self._bind(key)

    def _bind(self, key: tuple[str, ...]) -> Child:
        shaped = tuple(
            value if self._shapes[label].fullmatch(value) else OTHER
            for label, value in zip(self.labels, key, strict=True)
        )
        if shaped not in self.children and len(self.children) >= self._limit:
            shaped = tuple(OTHER for _ in self.labels)
        if shaped != key:
            REFUSED.bind(target=self.name).inc()
        if shaped not in self.children:
            self.children[shaped] = self._make()
        return self.children[shaped]


INSTRUMENTS: list[Instrument[Any]] = []
"""Every instrument of the process."""

REFUSED = Instrument(
    "rossio_telemetry_refused_total",
    "Label values and span attributes that were not let through, by what they were meant for.",
    {"target": re.compile(r"[a-z_.]{1,64}")},
    Count,
    limit=300,
)


class Declarations:
    """A set of instruments, open while names.py is read and closed after it.

    Args:
        labels: every label there is, with the shape of its values.
    """

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._shapes = {label: re.compile(shape) for label, shape in labels.items()}
        self._closed = False

    def close(self) -> None:
        self._closed = True

    def counter(self, name: str, about: str, labels: Sequence[str] = (), *, limit: int = 1000) -> Instrument[Count]:
        """Declares a counter; `name` ends with "_total"."""
        return Instrument(name, about, self._labels(name, labels), Count, limit)

    def gauge(self, name: str, about: str, labels: Sequence[str] = (), *, limit: int = 1000) -> Instrument[Level]:
        return Instrument(name, about, self._labels(name, labels), Level, limit)

    def histogram(
        self,
        name: str,
        about: str,
        labels: Sequence[str] = (),
        *,
        buckets: Sequence[float] = SECONDS,
        limit: int = 300,
    ) -> Instrument[Spread]:
        """Declares a histogram; `name` ends with its unit, "_seconds" or "_bytes"."""
        return Instrument(name, about, self._labels(name, labels), lambda: Spread(buckets), limit)

    def _labels(self, name: str, labels: Sequence[str]) -> dict[str, re.Pattern[str]]:
        if self._closed:
            raise RuntimeError(f"declare {name} in telemetry/names.py, where all metrics stand")
        return {label: self._shapes[label] for label in labels}
