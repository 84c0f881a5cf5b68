import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import telemetry
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from telemetry import capture, export, semconv
from telemetry.tracing import recorder

OTHER = "00-11111111111111111111111111111111-2222222222222222-01"


@pytest.fixture(autouse=True)
def restored():
    before = recorder.ratio, recorder.sink
    yield
    recorder.ratio, recorder.sink = before


@pytest.fixture
def collector():
    """A collector that keeps what it is sent, and can be told to refuse."""
    taken, status = [], [200]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            if status[0] == 200:
                taken.append((self.path, ExportTraceServiceRequest.FromString(body)))
            self.send_response(status[0])
            self.end_headers()

        def log_message(self, format, *args):  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", taken, status
    server.shutdown()
    thread.join()
    server.server_close()


def count(name):
    for line in telemetry.exposition()[1].decode().splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise AssertionError(name)


def until(true, seconds=20):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "not in time"
        threading.Event().wait(0.01)


def test_a_collector_gets_spans_by_otlp(collector):
    endpoint, taken, _ = collector
    running = telemetry.start("news", version="1.2", otlp_endpoint=endpoint, sample_ratio=1.0)
    try:
        with telemetry.span("outer", kind=telemetry.Kind.CONSUMER, links=[OTHER], attributes={semconv.ENTITY: "e01"}):
            inner = telemetry.begin("inner")
            inner.event("half way")
            telemetry.finish(inner, ValueError("x"))
    finally:
        running.shutdown()
    path, request = taken[0]
    assert path == "/v1/traces"
    (resource,) = request.resource_spans
    described = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
    assert (described["service.name"], described["service.version"]) == ("news", "1.2")
    assert resource.scope_spans[0].schema_url == semconv.SCHEMA_URL
    sent = {span.name: span for span in resource.scope_spans[0].spans}
    outer, failed = sent["outer"], sent["inner"]
    assert failed.parent_span_id == outer.span_id
    assert failed.trace_id == outer.trace_id
    assert failed.status.code == 2
    assert [event.name for event in failed.events] == ["half way"]
    assert outer.kind == 5
    assert outer.links[0].trace_id.hex() == OTHER[3:35]
    assert {pair.key: pair.value.string_value for pair in outer.attributes} == {semconv.ENTITY: "e01"}


def test_a_dead_collector_stops_nobody_and_spans_past_the_queue_are_counted():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        queue = export.SpanQueue(export.otlp(f"http://127.0.0.1:{port}", {}), size=100, batch=50)
        recorder.ratio, recorder.sink = 1.0, queue.put
        dropped = count("rossio_telemetry_spans_dropped_total")
        for _ in range(1000):
            with telemetry.span("event"):
                pass
        assert count("rossio_telemetry_spans_queued") <= 100
        assert count("rossio_telemetry_spans_dropped_total") - dropped >= 850
        recorder.sink = None
        queue.stop()


def test_spans_flow_again_when_the_collector_is_back(collector):
    endpoint, taken, status = collector
    status[0] = 400
    queue = export.SpanQueue(export.otlp(endpoint, {}), interval=0.01)
    recorder.ratio, recorder.sink = 1.0, queue.put
    dropped = count("rossio_telemetry_spans_dropped_total")
    with telemetry.span("lost"):
        pass
    until(lambda: count("rossio_telemetry_spans_dropped_total") == dropped + 1)
    status[0] = 200
    with telemetry.span("kept"):
        pass
    until(lambda: taken)
    queue.stop()
    assert taken[0][1].resource_spans[0].scope_spans[0].spans[0].name == "kept"


def test_a_send_that_raises_does_not_end_the_exporting():
    sent = []

    def send(spans):
        if spans[0].name == "bad":
            raise OSError("the disk is full")
        sent.extend(spans)
        return True

    queue = export.SpanQueue(send, interval=0.01)
    recorder.ratio, recorder.sink = 1.0, queue.put
    dropped = count("rossio_telemetry_spans_dropped_total")
    with telemetry.span("bad"):
        pass
    until(lambda: count("rossio_telemetry_spans_dropped_total") == dropped + 1)
    with telemetry.span("good"):
        pass
    until(lambda: sent)
    queue.stop()


def test_the_end_waits_for_a_batch_that_a_busy_machine_has_not_sent_yet():
    sent, may_send = [], threading.Event()

    def send(spans):
        assert may_send.wait(60)
        sent.extend(spans)
        return True

    queue = export.SpanQueue(send)
    recorder.ratio, recorder.sink = 1.0, queue.put
    with telemetry.span("last"):
        pass
    recorder.sink = None
    ending = threading.Thread(target=queue.stop)
    ending.start()
    ending.join(3.5)  # the imports of the first export have been seen to take more than 3 s
    assert ending.is_alive()
    may_send.set()
    ending.join(60)
    assert [span.name for span in sent] == ["last"]


SCRIPT = """
import sys, telemetry
running = telemetry.start(sys.argv[1], version="1", sample_ratio=1.0)
with telemetry.span(f"in {sys.argv[1]}", parent=sys.argv[2] or None):
    print(telemetry.current_traceparent())
running.shutdown()
"""


def run(service, traceparent, file):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, service, traceparent],
        env={**os.environ, "ROSSIO_SPAN_FILE": str(file)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_processes_that_share_a_span_file_write_one_trace(tmp_path):
    file = tmp_path / "spans.jsonl"
    assert capture.read(file) == []
    run("notification", run("mail-routing", "", file), file)
    first, second = capture.read(file)
    assert (first.service, second.service) == ("mail-routing", "notification")
    assert second.trace_id == first.trace_id
    assert second.parent_id == first.span_id
    whole = file.read_text()
    with file.open("a") as broken:  # by a process that was killed while it wrote
        broken.write(whole.strip()[:200])
    assert len(capture.read(file)) == 2
    run("news", "", file)
    assert [span.service for span in capture.read(file)] == ["mail-routing", "notification", "news"]


def test_starting_without_a_collector_imports_no_sdk():
    script = (
        "import sys, telemetry\n"
        "with telemetry.start('x', version='1', otlp_endpoint='http://127.0.0.1:9', sample_ratio=1.0): pass\n"
        "print([m for m in sys.modules if m.startswith(('opentelemetry.sdk', 'opentelemetry.exporter', 'requests'))])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
