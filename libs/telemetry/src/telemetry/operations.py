"""Named operations: a span, and rate, errors and duration as a metric."""

from collections.abc import Mapping, Sequence

from telemetry import names
from telemetry.metrics import Spread
from telemetry.position import Span, Value
from telemetry.tracing import Kind, Operation, span

_durations: dict[tuple[str, str], Spread] = {}


def _done(name: str, seconds: float, outcome: str) -> None:
    duration = _durations.get((name, outcome))
    if duration is None:
        duration = _durations[name, outcome] = names.OPERATION.bind(operation=name, outcome=outcome)
    duration.observe(seconds)


def observe(
    name: str,
    *,
    kind: Kind = Kind.INTERNAL,
    attributes: Mapping[str, Value] | None = None,
    parent: Span | str | None = None,
    links: Sequence[Span | str] = (),
) -> Operation:
    """Like `span`, and observes duration and outcome in rossio_operation_duration_seconds."""
    return span(name, kind=kind, attributes=attributes, parent=parent, links=links, done=_done)
