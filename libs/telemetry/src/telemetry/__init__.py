"""Traces, metrics, logs, health and kill points of a process.

`start` once in the composition root; everywhere else::

    log = telemetry.logger(__name__)
    consumed = telemetry.names.CONSUMED.bind(stream="news.post.v1", group="notification", outcome="done")

    with telemetry.observe("news.publish", attributes={telemetry.semconv.ENTITY: entity_id}) as span:
        consumed.inc()
        log.info("post published", post_id=post_id)

No address, name, subject or id of a person goes into a span, a label or a log.
"""

from telemetry import health, names, points, semconv
from telemetry.logs import Logger, logger
from telemetry.logs import set_level as set_log_level
from telemetry.metrics import Count, Instrument, Level, Spread
from telemetry.operations import observe
from telemetry.position import Span, active, context_from, current_traceparent
from telemetry.process import Telemetry, exposition, start
from telemetry.tracing import Kind, Operation, begin, enter, finish, outcome_of, span

__all__ = [
    "Count",
    "Instrument",
    "Kind",
    "Level",
    "Logger",
    "Operation",
    "Span",
    "Spread",
    "Telemetry",
    "active",
    "begin",
    "context_from",
    "current_traceparent",
    "enter",
    "exposition",
    "finish",
    "health",
    "logger",
    "names",
    "observe",
    "outcome_of",
    "points",
    "semconv",
    "set_log_level",
    "span",
    "start",
]
