"""Instruments with closed names, closed labels and a limit of children, on prometheus-client.

An instrument is declared once, in names.py, and bound once to the values of its labels; what runs per
event is `inc`, `set` or `observe` on the bound child (0.3 to 0.7 microseconds).
"""

import re
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Generic, Protocol, TypeVar

import prometheus_client
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from telemetry.tracing import active

REGISTRY = prometheus_client.CollectorRegistry(auto_describe=False)
OTHER = "other"
"""The value that stands for every value which a label may not take, or has no room for."""

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Bucket bounds of durations, in seconds."""


class Count(Protocol):
    """A bound counter."""

    def inc(self, amount: float = 1) -> None: ...


class Level(Protocol):
    """A bound gauge."""

    def inc(self, amount: float = 1) -> None: ...
    def dec(self, amount: float = 1) -> None: ...
    def set(self, value: float) -> None: ...
    def set_function(self, f: Callable[[], float]) -> None: ...


class Spread:
    """A bound histogram; an observation inside a sampled span carries the trace as exemplar.

    It counts by itself, at a third of the cost of prometheus_client.Histogram, which takes two locks
    and walks the buckets; under CPython's lock each of its updates is whole.
    """

    __slots__ = ("_bounds", "counts", "exemplars", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self.exemplars: dict[int, Exemplar] = {}

    def observe(self, value: float) -> None:
        bucket = bisect_left(self._bounds, value)
        self.counts[bucket] += 1
        self.total += value
        span = active()
        if span is not None and span.sampled:
            self.exemplars[bucket] = Exemplar({"trace_id": span.trace_id, "span_id": span.span_id}, value, time.time())


class _Histogram(Collector):
    """Shows the children of one histogram to a scrape."""

    def __init__(self, name: str, about: str, labels: Sequence[str], bounds: Sequence[float]) -> None:
        self._name = name
        self._about = about
        self._labels = labels
        self._bounds = bounds
        self._children: dict[Sequence[str], Spread] = {}

    def child(self, values: Sequence[str]) -> Spread:
        return self._children.setdefault(values, Spread(self._bounds))

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._about, labels=self._labels)
        edges = [*map(str, self._bounds), "+Inf"]
        for values, child in list(self._children.items()):
            rows: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
            for at, (edge, upto) in enumerate(zip(edges, accumulate(child.counts), strict=True)):
                exemplar = child.exemplars.get(at)
                rows.append((edge, upto) if exemplar is None else (edge, upto, exemplar))
            family.add_metric(values, rows, child.total)
        yield family


Child = TypeVar("Child")
_refused = prometheus_client.Counter(
    "rossio_telemetry_refused",
    "Label values and span attributes that were not let through, by what they were meant for.",
    ("target",),
    registry=REGISTRY,
)


def refuse(target: str) -> None:
    """Counts a value that was withheld from `target`, a metric or span attribute by its declared name."""
    _refused.labels(target).inc()


class Instrument(Generic[Child]):
    """One declared metric. `bind` gives the child for one set of label values."""

    def __init__(
        self,
        name: str,
        labels: Mapping[str, re.Pattern[str]],
        make: Callable[[Sequence[str]], Child],
        limit: int,
    ) -> None:
        self.name = name
        self.labels = tuple(labels)
        self._shapes = labels
        self._make = make
        self._limit = limit
        self._children: dict[tuple[str, ...], Child] = {}

    def bind(self, **values: str) -> Child:
        """Returns the child for these label values, the same for the same values.

        A value that is not of its label's shape becomes "other", and so do all values of a child
        past the limit; both are counted in rossio_telemetry_refused_total.

        Raises:
            ValueError: the labels are not those that the instrument was declared with.
        """
        if len(values) != len(self.labels) or not self.labels_in(values):
            raise ValueError(f"{self.name} has the labels {self.labels}, not {tuple(values)}")
        key = tuple(values[label] for label in self.labels)
        child = self._children.get(key)
        return child if child is not None else self._bind(key)

    def labels_in(self, values: Mapping[str, str]) -> bool:
        return all(label in values for label in self.labels)

    def _bind(self, key: tuple[str, ...]) -> Child:
        shaped = tuple(
            value if self._shapes[label].fullmatch(value) else OTHER
            for label, value in zip(self.labels, key, strict=True)
        )
        if shaped not in self._children and len(self._children) >= self._limit:
            shaped = tuple(OTHER for _ in self.labels)
        if shaped != key:
            refuse(self.name)
        if shaped not in self._children:
            self._children[shaped] = self._make(shaped)
        return self._children[shaped]


class Declarations:
    """The set of instruments of the process, open while names.py is read and closed after it.

    Args:
        labels: every label there is, with the shape of its values.
    """

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._shapes = {label: re.compile(shape) for label, shape in labels.items()}
        self._closed = False
        self.names: dict[str, str] = {}

    def close(self) -> None:
        self._closed = True

    def counter(self, name: str, about: str, labels: Sequence[str] = (), *, limit: int = 1000) -> Instrument[Count]:
        """Declares a counter; `name` ends with "_total"."""
        shapes = self._declare(name, about, labels)
        metric = prometheus_client.Counter(name, about, tuple(labels), registry=REGISTRY)
        return Instrument(name, shapes, lambda key: metric.labels(*key) if key else metric, limit)

    def gauge(self, name: str, about: str, labels: Sequence[str] = (), *, limit: int = 1000) -> Instrument[Level]:
        shapes = self._declare(name, about, labels)
        metric = prometheus_client.Gauge(name, about, tuple(labels), registry=REGISTRY)
        return Instrument(name, shapes, lambda key: metric.labels(*key) if key else metric, limit)

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
        shapes = self._declare(name, about, labels)
        metric = _Histogram(name, about, tuple(labels), tuple(buckets))
        REGISTRY.register(metric)
        return Instrument(name, shapes, metric.child, limit)

    def _declare(self, name: str, about: str, labels: Sequence[str]) -> dict[str, re.Pattern[str]]:
        if self._closed:
            raise RuntimeError(f"declare {name} in telemetry/names.py, where all metrics stand")
        self.names[name] = about
        return {label: self._shapes[label] for label in labels}


def exposition(accept: str = "") -> tuple[str, bytes]:
    """Returns content type and body of a scrape, as OpenMetrics (with exemplars) where `accept` allows it."""
    encode, content_type = choose_encoder(accept)
    return content_type, encode(REGISTRY)
