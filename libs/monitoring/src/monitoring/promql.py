"""PromQL over the metrics of the suite: a selector is made from the instrument, so it cannot name one that is not."""

from collections.abc import Sequence
from typing import Any, Final

from telemetry.metrics import Instrument

SERVICE: Final = 'job=~"$service"'
INSTANCE: Final = 'instance=~"$instance"'
PANEL: Final = (SERVICE, INSTANCE)
"""What every selector of a dashboard holds: the service is the scrape's `job`, the process its `instance`."""
WINDOW: Final = "$__rate_interval"


def select(metric: Instrument[Any], *matchers: str, part: str = "", scope: Sequence[str] = PANEL) -> str:
    """The series of a metric; `part` is "_count", "_sum" or "_bucket" of a histogram."""
    inside = ",".join((*scope, *matchers))
    return f"{metric.name}{part}{{{inside}}}" if inside else f"{metric.name}{part}"


def rate(
    metric: Instrument[Any],
    *matchers: str,
    by: Sequence[str] = (),
    part: str = "",
    window: str = WINDOW,
    scope: Sequence[str] = PANEL,
) -> str:
    """Events a second, summed by the labels."""
    return f"sum{_by(by)} (rate({select(metric, *matchers, part=part, scope=scope)}[{window}]))"


def increase(metric: Instrument[Any], *matchers: str, by: Sequence[str] = (), part: str = "") -> str:
    """Events in the time that the dashboard shows."""
    return f"sum{_by(by)} (increase({select(metric, *matchers, part=part)}[$__range]))"


def quantile(share: float, metric: Instrument[Any], *matchers: str, by: Sequence[str] = ()) -> str:
    """What a share of the observations stays below."""
    return f"histogram_quantile({share}, {rate(metric, *matchers, by=('le', *by), part='_bucket')})"


def total(metric: Instrument[Any], *matchers: str, by: Sequence[str] = ()) -> str:
    """The sum of a gauge, or of a counter since each process started."""
    return f"sum{_by(by)} ({select(metric, *matchers)})"


def worst(metric: Instrument[Any], *matchers: str, by: Sequence[str] = ()) -> str:
    """The largest value of a gauge."""
    return f"max{_by(by)} ({select(metric, *matchers)})"


def _by(labels: Sequence[str]) -> str:
    return f" by ({', '.join(labels)})" if labels else ""
