"""What other tests of the process have started is set aside: these begin as a process does that records nothing."""

from collections.abc import Iterator

import pytest
from telemetry.tracing import recorder


@pytest.fixture(autouse=True)
def as_a_process_begins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("ROSSIO_SPAN_FILE", raising=False)
    before = recorder.ratio, recorder.sink
    recorder.ratio, recorder.sink = 0.0, None
    yield
    recorder.ratio, recorder.sink = before
