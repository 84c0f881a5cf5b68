"""For tests: the spans that were exported, of this process or of several, and the metrics of this one."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from telemetry.export import as_json
from telemetry.metrics import Count, Instrument, Level, Spread
from telemetry.tracing import Recording, recorder


@dataclass(frozen=True, slots=True)
class Exported:
    """One span as it was exported."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    start_ns: int
    end_ns: int
    error: str
    attributes: dict[str, str | bool | int | float] = field(default_factory=dict)
    events: list[tuple[int, str]] = field(default_factory=list)
    links: list[tuple[str, str]] = field(default_factory=list)
    resource: dict[str, str] = field(default_factory=dict)

    @property
    def service(self) -> str:
        return self.resource.get("service.name", "")


@contextlib.contextmanager
def spans() -> Iterator[list[Exported]]:
    """Samples every trace of this process inside the block and fills the list as spans end."""
    seen: list[Exported] = []

    def take(span: Recording) -> None:
        seen.append(_exported(json.dumps(as_json(span, {}))))

    before = recorder.ratio, recorder.sink
    recorder.ratio, recorder.sink = 1.0, take
    try:
        yield seen
    finally:
        recorder.ratio, recorder.sink = before


def value(of: Instrument[Count] | Instrument[Level] | Instrument[Spread], **labels: str) -> float:
    """What a metric of this process stands at now: of a histogram its number of observations. 0 for no such child."""
    child = of.children.get(tuple(labels[label] for label in of.labels))
    if child is None:
        return 0.0
    return float(sum(child.counts)) if isinstance(child, Spread) else child.value


def read(path: Path) -> list[Exported]:
    """Reads what processes started with ROSSIO_SPAN_FILE=`path` have exported so far, whole lines alone."""
    if not path.exists():
        return []
    return [_exported(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("}}\n")]


def _exported(line: str) -> Exported:
    fields = json.loads(line)
    fields["links"] = [(trace_id, span_id) for trace_id, span_id in fields["links"]]
    fields["events"] = [(at, name) for at, name in fields["events"]]
    return Exported(**fields)
