import asyncio
import gc
import sys

import pytest
import telemetry
from errors import Conflict, Invalid
from telemetry import semconv
from telemetry.capture import spans
from telemetry.tracing import recorder

SAMPLED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
UNSAMPLED = SAMPLED[:-1] + "0"
OTHER = "00-11111111111111111111111111111111-2222222222222222-01"


def test_a_nested_span_is_the_child_of_the_one_around_it():
    with spans() as seen, telemetry.span("outer"), telemetry.span("inner", kind=telemetry.Kind.CLIENT):
        pass
    inner, outer = seen
    assert (inner.name, inner.kind, inner.parent_id) == ("inner", "CLIENT", outer.span_id)
    assert inner.trace_id == outer.trace_id
    assert outer.parent_id == ""
    assert outer.start_ns <= inner.start_ns <= inner.end_ns <= outer.end_ns


def test_a_span_continues_the_traceparent_of_another_process():
    with spans() as seen, telemetry.span("here", parent=SAMPLED):
        assert telemetry.current_traceparent().startswith(SAMPLED[:36])
    assert (seen[0].trace_id, seen[0].parent_id) == (SAMPLED[3:35], SAMPLED[36:52])


def test_an_unsampled_parent_is_passed_on_and_not_recorded():
    with spans() as seen:
        with telemetry.span("here", parent=UNSAMPLED), telemetry.observe("below"):
            assert telemetry.current_traceparent() == UNSAMPLED
        assert telemetry.current_traceparent() == ""
    assert seen == []


def test_what_is_sampled_elsewhere_is_passed_on_by_a_process_that_records_nothing():
    with telemetry.span("here", parent=SAMPLED), telemetry.span("below") as span:
        assert not span.recording
        assert telemetry.current_traceparent() == SAMPLED


def test_a_root_without_sampling_has_one_trace_id_for_its_logs_and_events():
    with telemetry.span("here") as span:
        assert telemetry.current_traceparent() == span.traceparent
        assert telemetry.current_traceparent().endswith("-00")
        with telemetry.span("below"):
            assert telemetry.current_traceparent() == span.traceparent


def test_the_share_of_sampled_roots_is_the_ratio():
    with spans() as seen:
        recorder.ratio = 0.25
        for _ in range(2000):
            with telemetry.span("root"):
                pass
    assert 380 < len(seen) < 620  # more than five standard deviations


def test_a_batch_without_a_parent_is_recorded_when_one_of_its_links_is():
    with spans() as seen:
        recorder.ratio = 0.0
        with telemetry.span("batch", links=[UNSAMPLED, SAMPLED, OTHER]):
            pass
        with telemetry.span("other batch", links=[UNSAMPLED]):
            pass
    assert [span.name for span in seen] == ["batch"]
    assert (OTHER[3:35], OTHER[36:52]) in seen[0].links
    assert seen[0].trace_id not in {SAMPLED[3:35], OTHER[3:35]}


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "garbage",
        "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
        SAMPLED[:36] + "0" * 16 + "-01",
        SAMPLED.replace("4bf9", "zzzz"),
        SAMPLED.replace("4bf9", "4BF9"),
        SAMPLED.replace("4bf92", "+bf92"),
        SAMPLED[:-2] + "0x",
        SAMPLED + "0",
        "ff" + SAMPLED[2:],
        "00_" + SAMPLED[3:],
        SAMPLED[:35] + "_" + SAMPLED[36:],
        SAMPLED[:52] + "_" + SAMPLED[53:],
    ],
)
def test_what_is_no_traceparent_begins_a_new_trace(header):
    assert telemetry.context_from(header) is None
    with spans() as seen, telemetry.span("here", parent=header):
        pass
    assert seen[0].parent_id == ""


def test_an_error_is_its_kind_and_never_its_message():
    with spans() as seen:
        with pytest.raises(ValueError, match="maria"), telemetry.span("bug"):
            raise ValueError("maria.canaria@example.pt")
        with pytest.raises(Conflict), telemetry.span("conflict"):
            raise Conflict("maria.canaria", reason="STALE")
    assert [span.error for span in seen] == ["ValueError", "STALE"]
    assert [span.attributes for span in seen] == [{"error.type": "ValueError"}, {"error.type": "STALE"}]
    assert "canaria" not in repr(seen)


def test_only_declared_attributes_are_exported_and_never_an_address():
    with spans() as seen, telemetry.span("here", attributes={semconv.ENTITY: "e01", "user.name": "canaria"}) as span:
        span.set(semconv.COUNT, 3)
        span.set(semconv.SIZE, "maria@example.pt")
        span.set("mail.subject", "canaria")
    assert seen[0].attributes == {semconv.ENTITY: "e01", semconv.COUNT: 3}


def test_no_attribute_is_named_for_a_person():
    assert not {name for name in semconv.ATTRIBUTES if set(name.split(".")) & {"user", "enduser", "email", "subject"}}


def test_observe_counts_by_outcome():
    def count(outcome):
        _, body = telemetry.exposition()
        line = f'rossio_operation_duration_seconds_count{{operation="test.outcomes",outcome="{outcome}"}} '
        return next((float(row.removeprefix(line)) for row in body.decode().splitlines() if row.startswith(line)), 0)

    for error in (None, None, Invalid("x"), KeyError("x"), asyncio.CancelledError()):
        try:
            with telemetry.observe("test.outcomes"):
                if error is not None:
                    raise error
        except (Invalid, KeyError, asyncio.CancelledError):
            pass
    assert [count(outcome) for outcome in ("ok", "invalid", "bug", "cancelled")] == [2, 1, 1, 1]


async def test_tasks_at_once_do_not_mix_their_spans():
    both = asyncio.Barrier(2)

    async def work(name):
        with telemetry.span(name):
            await both.wait()
            with telemetry.span(f"{name} below"):
                await both.wait()

    with spans() as seen:
        await asyncio.gather(work("a"), work("b"))
    by_name = {span.name: span for span in seen}
    for name in "ab":
        assert by_name[f"{name} below"].parent_id == by_name[name].span_id
    assert by_name["a"].trace_id != by_name["b"].trace_id


def test_a_span_of_no_block_ends_once():
    with spans() as seen:
        span = telemetry.begin("call", kind=telemetry.Kind.CLIENT)
        assert telemetry.current_traceparent() == ""
        telemetry.finish(span, TimeoutError())
        telemetry.finish(span)
    assert [span.error for span in seen] == ["TimeoutError"]


def test_an_unsampled_operation_leaves_nothing_behind():
    with telemetry.span("root"):
        for _ in range(10):
            with telemetry.observe("test.nothing"):
                pass
        gc.collect()
        before = sys.getallocatedblocks()
        for _ in range(1000):
            with telemetry.observe("test.nothing"):
                pass
        assert sys.getallocatedblocks() - before < 100
