"""Objects for operators (Strimzi, MongoDB's, cert-manager, KEDA, Prometheus'): of the shape that each of them takes."""

import json
from typing import Any

import jsonschema
import messaging
import pytest
from messaging.topics import topics_of

from tests.charts.conftest import VALUES, Objects
from tests.charts.custom_resources import SHAPES, shape

KNOWN: dict[str, Any] = json.loads(SHAPES.read_text())


def of_operators(objects: Objects) -> Objects:
    groups = [(found, found["apiVersion"].rpartition("/")[0]) for found in objects]
    return [found for found, group in groups if "." in group and not group.endswith(".k8s.io")]


@pytest.mark.parametrize("values", VALUES)
def test_an_operator_knows_every_field_that_it_is_told(rendered, values):
    for found in of_operators(rendered(values)):
        spec = KNOWN[f"{found['apiVersion']}/{found['kind']}"]
        wrong = [f"{'/'.join(map(str, e.path))}: {e.message}" for e in
                 jsonschema.Draft202012Validator(spec).iter_errors(found["spec"])]  # fmt: skip
        assert wrong == [], found["metadata"]["name"]


def test_an_example_for_each_operator_is_rendered(rendered):
    kinds = {found["kind"] for values in VALUES for found in of_operators(rendered(values))}
    assert kinds == {"Kafka", "KafkaNodePool", "KafkaTopic", "KafkaUser", "MongoDBCommunity", "Certificate",
                     "ServiceMonitor", "PrometheusRule", "ScaledObject", "TriggerAuthentication"}  # fmt: skip


def test_strimzi_makes_the_topics_that_the_job_would(rendered):
    objects = [found for found in rendered("operators") if found["kind"] == "KafkaTopic"]
    told = {found["metadata"]["name"]: found["spec"] for found in objects}
    streams = messaging.catalogue().streams.values()
    topics = [topic for stream in streams for topic in topics_of(stream, brokers=3)]
    assert {name: (spec["partitions"], spec["replicas"], {k: str(v) for k, v in spec["config"].items()})
            for name, spec in told.items()} == {
        topic.name: (topic.partitions, topic.replicas, dict(topic.configs)) for topic in topics
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("global.kafka.source=strimzi", "value must be one of"),
        ("kafka.storage.sice=1Gi", "'sice' not allowed"),
    ],
)
def test_a_wrong_value_for_an_operator_is_named(helm, charts, wrong, said):
    done = helm("template", "rossio", charts / "rossio", "-f", VALUES["operators"], "--set", wrong)
    assert done.returncode != 0
    assert said in done.stderr


def test_a_shape_is_closed_where_the_definition_is():
    told = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"properties": {"c": {}}}}}
    made = shape(told, [{"a": 1}])
    jsonschema.validate({"a": 2, "b": {"d": 1}}, made)  # nobody uses b: what lies below it is not looked at
    for wrong in ({"a": "2"}, {"e": 1}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, made)
