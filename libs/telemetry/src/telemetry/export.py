"""Where recorded spans go: a bounded queue, and one thread that sends it on.

The thread imports the OpenTelemetry SDK and the OTLP exporter when the first span comes. A collector
that does not answer costs the events nothing: the queue fills, further spans are counted and let go.
"""

import json
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from telemetry import names
from telemetry.tracing import Recording

Send = Callable[[Sequence[Recording]], bool]


class SpanQueue:
    """Keeps spans until a thread has sent them.

    Args:
        send: sends a batch and says whether it was taken.
        size: how many spans may wait.
        interval: seconds between two batches, unless one is full before.
    """

    def __init__(self, send: Send, *, size: int = 4096, batch: int = 512, interval: float = 1.0) -> None:
        self._send = send
        self._size = size
        self._batch = batch
        self._interval = interval
        self._spans: deque[Recording] = deque()
        self._wake = threading.Event()
        self._sending = threading.Lock()
        self._stopping = False
        self._exported = names.SPANS_EXPORTED.bind()
        self._dropped = names.SPANS_DROPPED.bind()
        names.SPANS_QUEUED.bind().set_function(self._spans.__len__)
        names.SPANS_ROOM.bind().set(size)
        self._thread = threading.Thread(target=self._run, name="spans", daemon=True)
        self._thread.start()

    def put(self, span: Recording) -> None:
        """Takes a span that has ended; never blocks."""
        if len(self._spans) >= self._size:
            self._dropped.inc()
            return
        self._spans.append(span)
        if len(self._spans) == self._batch:
            self._wake.set()

    def flush(self) -> bool:
        """Sends what waits, in the calling thread; returns whether all of it was taken."""
        with self._sending:
            while self._spans:
                if not self._send_batch():
                    return False
        return True

    def stop(self) -> None:
        """Sends what waits once more and ends the thread.

        It returns when the spans are sent or given up, however long the thread's imports take on a busy machine. A
        collector bounds it all the same: each `send` has its own timeout, and the first that fails is the last.
        """
        self._stopping = True
        self._wake.set()
        self._thread.join()

    def _send_batch(self) -> bool:
        batch = [self._spans.popleft() for _ in range(min(self._batch, len(self._spans)))]
        try:
            taken = self._send(batch)
        except OSError:
            taken = False
        (self._exported if taken else self._dropped).inc(len(batch))
        return taken

    def _run(self) -> None:
        pause = self._interval
        while not self._stopping:
            self._wake.wait(pause)
            self._wake.clear()
            pause = self._interval if self.flush() else min(pause * 2, 30.0)
        self.flush()


def span_file(path: Path, resource: Mapping[str, str]) -> Send:
    """Appends spans to a file as JSON lines (read them with telemetry.capture.read).

    A batch begins with a line end, since a process that was killed may have left half a line.
    """
    path.parent.mkdir(parents=True, exist_ok=True)

    def send(spans: Sequence[Recording]) -> bool:
        text = "\n" + "".join(json.dumps(as_json(span, resource)) + "\n" for span in spans)
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, text.encode())
        finally:
            os.close(file)
        return True

    return send


def as_json(span: Recording, resource: Mapping[str, str]) -> dict[str, object]:
    """Returns everything that is exported of a span."""
    return {
        "name": span.name,
        "kind": span.kind.name,
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "start_ns": span.start_ns,
        "end_ns": span.end_ns,
        "error": span.error,
        "attributes": span.attributes,
        "events": span.events,
        "links": [[link.trace_id, link.span_id] for link in span.links],
        "resource": dict(resource),
    }


def otlp(endpoint: str, resource: Mapping[str, str]) -> Send:
    """Sends spans to a collector by OTLP over HTTP; `endpoint` is its base address."""
    exporter: Callable[[Sequence[Recording]], bool] | None = None

    def send(spans: Sequence[Recording]) -> bool:
        nonlocal exporter
        if exporter is None:
            from telemetry.otlp import exporter_to  # noqa: PLC0415 - 0.2 s of imports, in this thread only

            exporter = exporter_to(endpoint, resource)
        return exporter(spans)

    return send
