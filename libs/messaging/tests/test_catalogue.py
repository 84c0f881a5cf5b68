"""topics.yaml as the code sees it."""

from datetime import timedelta

import pytest
from errors import Invalid
from google.protobuf.message import Message
from messaging import asyncapi, catalogue, event_class
from messaging.envelope import _shape
from messaging.topics import topics_of

STREAMS = list(catalogue().streams.values())


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_every_event_of_a_stream_has_its_key_and_its_entity(stream):
    for event in stream.events:
        assert issubclass(event_class(event), Message)
        _shape(event, stream.name)  # reads the key's and the entity's path


def test_names_follow_from_the_stream():
    stream = catalogue().stream("news.post.v1")
    assert stream.group("notification") == "notification.news.post.v1"
    assert stream.dead_letters("notification") == "news.post.v1.notification.dlq"
    assert stream.retention == timedelta(days=30)
    with pytest.raises(Invalid):
        catalogue().stream("news.post.v2")


def test_topics_are_replicated_kept_and_sized_as_the_stream_says():
    mail = catalogue().stream("mail.message.v1")
    topic, letters = topics_of(mail, brokers=5)
    assert (topic.name, topic.partitions, topic.replicas) == ("mail.message.v1", 24, 3)
    assert topic.configs == {
        "cleanup.policy": "delete",
        "retention.ms": str(7 * 86_400_000),
        "min.insync.replicas": "2",
        "max.message.bytes": "1048576",
    }
    assert (letters.name, letters.partitions) == ("mail.message.v1.mail-routing.dlq", 1)
    assert int(letters.configs["max.message.bytes"]) > int(topic.configs["max.message.bytes"])
    (person,) = topics_of(catalogue().stream("directory.person.v1"), brokers=1, most=3)
    assert (person.partitions, person.replicas, person.configs["cleanup.policy"]) == (3, 1, "compact")
    assert person.configs["min.insync.replicas"] == "1"


def test_the_asyncapi_document_names_every_stream_with_who_writes_and_who_reads():
    document = asyncapi.asyncapi(version="7")
    assert document["asyncapi"].startswith("3.")
    assert document["info"]["version"] == "7"
    said = {
        (channel["address"], document["operations"][name]["action"], name)
        for name, channel in document["channels"].items()
    }
    expected = set()
    for stream in STREAMS:
        who = "every service" if stream.producer == "*" else stream.producer
        expected.add((stream.name, "send", f"{stream.name} by {who}"))
        expected |= {(stream.name, "receive", f"{stream.name} settled by {one}") for one in stream.consumers}
        expected |= {(stream.name, "receive", f"{stream.name} followed by {one}") for one in stream.followers}
    assert said == expected
    payload = document["components"]["schemas"]["news.post.v1 by news:Message:Payload"]
    published = next(one for one in payload["anyOf"] if one["title"] == "rossio.news.v1.PostAcknowledged")
    assert published["properties"]["at"] == {"type": "string", "format": "date-time"}
    assert published["properties"]["textVersion"] == {"type": "integer", "format": "int64"}
    for message in document["components"]["messages"].values():
        assert "ce_id" in message["headers"]["properties"]
    assert document == asyncapi.asyncapi(version="7")
