import re

import pytest
import telemetry
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from telemetry import capture, names
from telemetry.capture import spans
from telemetry.metrics import OTHER, Declarations

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def samples():
    content_type, body = telemetry.exposition(OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    return [sample for family in text_string_to_metric_families(body.decode()) for sample in family.samples]


def value(name, **labels):
    return next((sample.value for sample in samples() if sample.name == name and sample.labels == labels), 0.0)


def declare(**labels):
    return Declarations({"stage": r"[a-z]+", **labels})


def test_a_bound_counter_counts():
    labels = {"stream": "test.counts", "group": "g", "outcome": "done"}
    child = names.CONSUMED.bind(**labels)
    child.inc()
    child.inc(2)
    assert names.CONSUMED.bind(**labels) is child
    assert value("rossio_messaging_consumed_total", **labels) == 3


def test_a_metric_that_names_py_does_not_declare_does_not_exist():
    with pytest.raises(RuntimeError, match=r"names\.py"):
        names.counter("rossio_test_undeclared_total", "A metric declared elsewhere.")


def test_labels_are_those_declared():
    for wrong in ({}, {"stage": "a", "more": "b"}, {"other": "a"}):
        with pytest.raises(ValueError, match="has the labels"):
            names.RELAYED.bind(**wrong)
    with pytest.raises(KeyError):
        declare().counter("rossio_test_label_total", "With a label that nobody declared.", ("person",))


def test_a_value_of_another_shape_becomes_other_and_is_counted():
    refused = {"target": "rossio_test_shape_total"}
    metric = declare().counter("rossio_test_shape_total", "A test.", ("stage",))
    before = value("rossio_telemetry_refused_total", **refused)
    metric.bind(stage="maria@example.pt").inc()
    metric.bind(stage="scan").inc()
    assert value("rossio_test_shape_total", stage=OTHER) == 1
    assert value("rossio_test_shape_total", stage="scan") == 1
    assert value("rossio_telemetry_refused_total", **refused) == before + 1
    assert "maria" not in telemetry.exposition()[1].decode()


def test_children_past_the_limit_share_one():
    metric = declare(kind="[a-z]+").counter("rossio_test_limit_total", "A test.", ("stage", "kind"), limit=3)
    for letter in "abcdefgh":
        metric.bind(stage=letter, kind="x").inc()
    found = [sample for sample in samples() if sample.name == "rossio_test_limit_total"]
    assert len(found) == 4
    assert value("rossio_test_limit_total", stage=OTHER, kind=OTHER) == 5
    assert value("rossio_test_limit_total", stage="a", kind="x") == 1


def test_a_histogram_counts_into_its_buckets():
    metric = declare().histogram("rossio_test_spread_seconds", "A test.", ("stage",), buckets=(0.1, 1.0))
    child = metric.bind(stage="scan")
    for seconds in (0.05, 0.1, 0.5, 7.0):
        child.observe(seconds)
    bucket = "rossio_test_spread_seconds_bucket"
    assert [value(bucket, stage="scan", le=edge) for edge in ("0.1", "1.0", "+Inf")] == [2, 3, 4]
    assert value("rossio_test_spread_seconds_count", stage="scan") == 4
    assert value("rossio_test_spread_seconds_sum", stage="scan") == pytest.approx(7.65)


def test_a_test_can_ask_for_the_value_of_any_kind():
    labels = {"collection": "test_values", "operation": "get", "outcome": "ok"}
    assert capture.value(names.STORE, **labels) == 0
    for _ in range(3):
        names.STORE.bind(**labels).observe(0.1)
    names.RELAYED.bind(collection="test_values").inc(2)
    names.RELAY_LEADER.bind(collection="test_values").set(1)
    found = names.STORE, names.RELAYED, names.RELAY_LEADER
    assert capture.value(found[0], **labels) == 3
    assert [capture.value(each, collection="test_values") for each in found[1:]] == [2, 1]


def test_an_observation_in_a_sampled_span_is_an_exemplar():
    child = names.STORE.bind(collection="test_exemplars", operation="get", outcome="ok")
    child.observe(0.003)
    with spans(), telemetry.span("here") as span:
        child.observe(0.2)
    found = {
        sample.labels["le"]: sample.exemplar
        for sample in samples()
        if sample.name == "rossio_store_duration_seconds_bucket"
        and sample.labels["collection"] == "test_exemplars"
        and sample.exemplar
    }
    assert list(found) == ["0.25"]
    assert found["0.25"].labels == {"trace_id": span.trace_id, "span_id": span.span_id}
    assert found["0.25"].value == 0.2


def test_every_metric_has_a_sentence_and_a_name_with_its_unit():
    assert len(names.METRICS) > 30
    for name, about in names.METRICS.items():
        assert re.fullmatch(r"(rossio|rpc)_[a-z_]+", name), name
        assert about[0].isupper(), name
        assert about.endswith("."), name


def test_no_label_is_for_people():
    labels = {
        label
        for instrument in vars(names).values()
        if isinstance(instrument, telemetry.Instrument)
        for label in instrument.labels
    }
    assert labels
    assert not labels & {"person", "user", "address", "subject", "sender", "recipient", "actor", "caller", "name"}


def test_a_plain_scrape_is_plain_text():
    content_type, body = telemetry.exposition("text/plain")
    assert content_type.startswith("text/plain")
    assert b"rossio_telemetry_spans_exported_total" in body
