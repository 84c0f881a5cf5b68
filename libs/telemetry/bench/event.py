"""What telemetry costs an event: a span with three attributes, a counter and a histogram, CPU of this process.

`make bench-telemetry` runs it.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from subprocess import PIPE, Popen
from typing import Any

import telemetry
from telemetry import export, names, semconv
from telemetry.tracing import recorder

_PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0{}"


class _Sink(BaseHTTPRequestHandler):
    """A collector that takes everything and keeps nothing."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the same
        pass


def _event(parent: str, consumed: telemetry.Count, took: telemetry.Spread) -> None:
    attributes: dict[str, str | bool | int | float] = {
        semconv.ENTITY: "e01",
        semconv.MESSAGING_DESTINATION_NAME: "news.post.v1",
        semconv.COUNT: 1,
    }
    with telemetry.observe("bench.event", kind=telemetry.Kind.CONSUMER, attributes=attributes, parent=parent):
        consumed.inc()
        took.observe(0.001)


def _per_event(parent: str, events: int) -> float:
    """CPU microseconds, the exporting thread's among them."""
    labels = {"stream": "bench", "group": "bench", "outcome": "done"}
    consumed, took = names.CONSUMED.bind(**labels), names.HANDLED.bind(**labels)
    started = time.process_time()
    for _ in range(events):
        _event(parent, consumed, took)
    return (time.process_time() - started) / events * 1e6


def measure(*, events: int = 20_000) -> list[dict[str, Any]]:
    """Returns a row for an unsampled event and one for a sampled event with its export."""
    unsampled = min(_per_event(_PARENT.format(0), events) for _ in range(3))
    with Popen([sys.executable, __file__, "sink"], stdout=PIPE, text=True) as sink:
        assert sink.stdout is not None
        queue = export.SpanQueue(
            export.otlp(f"http://127.0.0.1:{sink.stdout.readline().strip()}", {}), size=2 * events, interval=3600
        )
        recorder.sink = queue.put
        _per_event(_PARENT.format(1), 512)
        queue.flush()  # the imports of the exporter
        started = time.process_time()
        _per_event(_PARENT.format(1), events)
        queue.flush()
        sampled = (time.process_time() - started) / events * 1e6
        recorder.sink = None
        queue.stop()
        sink.terminate()
    note = "a span with three attributes, operation metric, counter, histogram"
    return [
        _row("unsampled us", unsampled, 15, note),
        _row("sampled with export us", sampled, 75, f"{note}, exemplars, OTLP over HTTP"),
    ]


def _row(metric: str, ours: float, aim: float, note: str) -> dict[str, Any]:
    return {
        "metric": metric,
        "ours": round(ours, 2),
        "peer": aim,
        "ratio": round(ours / aim, 3),
        "unit": "us CPU an event",
        "aim": f"at most {aim} us",
        "note": f"{note}; peer: the budget",
    }


if __name__ == "__main__":
    if sys.argv[1:] == ["sink"]:
        server = HTTPServer(("127.0.0.1", 0), _Sink)
        sys.stdout.write(f"{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()
    sys.stdout.write(json.dumps(measure(), indent=2) + "\n")
