"""Telemetry of a process as one thing with a beginning and an end."""

import os
import uuid
from pathlib import Path
from typing import Self

from telemetry import export, health, logs, names, semconv
from telemetry.tracing import recorder


class Telemetry:
    """The running telemetry; `flush` and `shutdown` are for the end of the process."""

    def __init__(self, queue: export.SpanQueue | None) -> None:
        self._queue = queue

    def flush(self) -> None:
        """Sends the spans that wait; blocks for at most one answer of the collector."""
        if self._queue is not None:
            self._queue.flush()

    def shutdown(self) -> None:
        """Stops recording and sends the spans that wait."""
        recorder.sink = None
        if self._queue is not None:
            self._queue.stop()
            self._queue = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()


def start(
    service: str,
    *,
    version: str,
    otlp_endpoint: str | None = None,
    sample_ratio: float = 0.01,
    log_level: str = "info",
) -> Telemetry:
    """Starts logs, metrics and traces of the process; called once, by its composition root.

    Args:
        service: its name, for example "mail-routing".
        version: of the service.
        otlp_endpoint: base address of a collector (OTLP over HTTP, for example "http://host:4318").
            The environment's ROSSIO_SPAN_FILE names a file that gets the spans instead, for tests.
            Without either no span is recorded; traces are still continued.
        sample_ratio: share of the traces that begin here which are recorded, 0 to 1.
        log_level: "debug", "info", "warning" or "error".
    """
    logs.start(service, log_level)
    names.BUILD.bind(version=version).set(1)
    resource = {
        semconv.SERVICE_NAMESPACE: "rossio",
        semconv.SERVICE_NAME: service,
        semconv.SERVICE_VERSION: version,
        semconv.SERVICE_INSTANCE_ID: str(uuid.uuid4()),
    }
    queue = None
    if path := os.environ.get("ROSSIO_SPAN_FILE"):
        queue = export.SpanQueue(export.span_file(Path(path), resource), interval=0.1)
    elif otlp_endpoint:
        queue = export.SpanQueue(export.otlp(otlp_endpoint, resource))
    recorder.ratio = sample_ratio if queue else 0.0
    recorder.sink = queue.put if queue else None
    return Telemetry(queue)


def exposition(accept: str = "") -> tuple[str, bytes]:
    """Returns content type and body of a scrape, as OpenMetrics (with exemplars) where `accept` allows it."""
    from telemetry.scrape import render  # noqa: PLC0415 - 0.1 s of imports that a start need not wait for

    health.report()  # so that rossio_ready is of now, whoever probes the process and however
    return render(accept)
