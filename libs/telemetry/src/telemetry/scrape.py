"""Shows the instruments to a scrape, in the Prometheus text format or in OpenMetrics.

Imported by the first scrape, and not when the process starts.
"""

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from telemetry.metrics import INSTRUMENTS, Count, Instrument, Level, Spread


class _Instruments(Collector):
    def collect(self) -> Iterator[Metric]:
        for instrument in list(INSTRUMENTS):
            if instrument.children:
                yield _family(instrument)


def _family(instrument: Instrument[Count] | Instrument[Level] | Instrument[Spread]) -> Metric:
    """Returns what a scrape sees of one instrument; all its children are of one kind."""
    described = instrument.name, instrument.about
    counts = CounterMetricFamily(*described, labels=instrument.labels)
    levels = GaugeMetricFamily(*described, labels=instrument.labels)
    spreads = HistogramMetricFamily(*described, labels=instrument.labels)
    family: Metric = counts
    for values, child in list(instrument.children.items()):
        match child:
            case Count():
                counts.add_metric(values, child.value)
            case Level():
                levels.add_metric(values, child.value)
                family = levels
            case Spread():
                spreads.add_metric(values, _buckets(child), child.total)
                family = spreads
    return family


def _buckets(spread: Spread) -> list[tuple[str, float] | tuple[str, float, Exemplar]]:
    rows: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
    for at, (edge, upto) in enumerate(zip([*map(str, spread.bounds), "+Inf"], accumulate(spread.counts), strict=True)):
        seen = spread.exemplars.get(at)
        if seen is None:
            rows.append((edge, upto))
        else:
            ids = {"trace_id": seen.trace_id, "span_id": seen.span_id}
            rows.append((edge, upto, Exemplar(ids, seen.value, seen.at)))
    return rows


_registry = CollectorRegistry(auto_describe=False)
_registry.register(_Instruments())
ProcessCollector(registry=_registry)
PlatformCollector(registry=_registry)
GCCollector(registry=_registry)


def render(accept: str) -> tuple[str, bytes]:
    """Returns content type and body of a scrape, as OpenMetrics (with exemplars) where `accept` allows it."""
    encode, content_type = choose_encoder(accept)
    return content_type, encode(_registry)
