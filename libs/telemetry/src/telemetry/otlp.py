"""Turns recorded spans into those of the OpenTelemetry SDK and sends them by OTLP over HTTP.

Imported by the exporting thread alone, when the first span has ended.
"""

from collections.abc import Callable, Mapping, Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from telemetry import semconv
from telemetry.tracing import Recording

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_SCOPE = InstrumentationScope("rossio.telemetry", schema_url=semconv.SCHEMA_URL)


def exporter_to(endpoint: str, resource: Mapping[str, str]) -> Callable[[Sequence[Recording]], bool]:
    """Returns a function that sends spans to the collector at the base address and says whether it took them."""
    exporter = OTLPSpanExporter(endpoint.rstrip("/") + "/v1/traces", timeout=3)
    described = Resource(resource, schema_url=semconv.SCHEMA_URL)

    def export(spans: Sequence[Recording]) -> bool:
        return exporter.export([readable(span, described) for span in spans]) is SpanExportResult.SUCCESS

    return export


def _context(trace_id: str, span_id: str, *, remote: bool = False) -> SpanContext:
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=remote, trace_flags=_SAMPLED)


def readable(span: Recording, resource: Resource) -> ReadableSpan:
    """Returns the span as the SDK's exporters take it."""
    return ReadableSpan(
        name=span.name,
        context=_context(span.trace_id, span.span_id),
        parent=_context(span.trace_id, span.parent_id, remote=True) if span.parent_id else None,
        resource=resource,
        attributes=span.attributes,
        events=[Event(name, timestamp=at) for at, name in span.events],
        links=[Link(_context(link.trace_id, link.span_id, remote=True)) for link in span.links],
        kind=SpanKind(span.kind),
        status=Status(StatusCode.ERROR, span.error) if span.error else Status(StatusCode.UNSET),
        start_time=span.start_ns,
        end_time=span.end_ns,
        instrumentation_scope=_SCOPE,
    )
