"""Facts and their way back, without a broker."""

import uuid
from datetime import UTC, datetime

import pytest
import telemetry
from aiokafka import ConsumerRecord
from errors import Invalid
from messaging import Delivery, caused_by, event_class, fact, new_id
from messaging.envelope import read, read_type
from rossio.directory.v1.directory_pb2 import Person
from rossio.directory.v1.events_pb2 import PersonChanged
from rossio.governance.v1.audit_pb2 import ActionAudited
from rossio.mail.v1.events_pb2 import MessageAccepted
from rossio.news.v1.events_pb2 import PostRetracted

AT = datetime(2026, 11, 23, 12, 30, 15, 123456, tzinfo=UTC)


def record_of(made):
    return ConsumerRecord(made.topic, 3, 42, 0, 0, made.key, made.payload, None, 0, 0, made.headers)


def test_a_fact_is_a_cloudevent_and_reads_back_as_it_was():
    person = PersonChanged(person=Person(person_id="p7", entity_id="e09"))
    with telemetry.span("test"):
        made = fact(person, id="id-1", at=AT)
        traceparent = telemetry.current_traceparent()
    assert (made.topic, made.key, made.id, made.at) == ("directory.person.v1", b"p7", "id-1", AT)
    assert dict(made.headers) == {
        "ce_type": b"rossio.directory.v1.PersonChanged",
        "ce_source": b"rossio/directory",
        "ce_specversion": b"1.0",
        "content-type": b"application/protobuf",
        "ce_id": b"id-1",
        "ce_subject": b"p7",
        "ce_time": b"2026-11-23T12:30:15.123456+00:00",
        "entity": b"e09",
        "correlationid": b"id-1",
        "traceparent": traceparent.encode(),
    }
    record = record_of(made)
    assert read_type(record) == b"rossio.directory.v1.PersonChanged"
    delivery = read(record, PersonChanged, 2)
    assert delivery == Delivery(
        message=person,
        id="id-1",
        time=AT,
        correlation_id="id-1",
        traceparent=traceparent,
        record=record,
        attempt=2,
    )
    assert (delivery.topic, delivery.offset, delivery.payload) == ("directory.person.v1", 42, made.payload)


def test_a_fact_outside_any_trace_has_no_traceparent():
    assert "traceparent" not in dict(fact(PostRetracted(post_id="p"), id="i", at=AT).headers)


def test_a_chain_of_facts_keeps_its_correlation_and_names_its_cause():
    first = read(record_of(fact(PostRetracted(post_id="p"), id="first", at=AT)), PostRetracted)
    with caused_by(first):
        second = read(record_of(fact(PostRetracted(post_id="p"), id="second", at=AT)), PostRetracted)
    with caused_by(second):
        third = dict(fact(PostRetracted(post_id="p"), id="third", at=AT).headers)
    assert (third["correlationid"], third["causationid"]) == (b"first", b"second")


def test_a_type_on_several_streams_needs_the_stream_named():
    with pytest.raises(Invalid, match=r"mail\.message\.urgent\.v1"):
        fact(MessageAccepted(message_id="m"), id="i", at=AT)
    assert fact(MessageAccepted(message_id="m"), id="i", at=AT, stream="mail.message.bulk.v1").key == b"m"
    with pytest.raises(Invalid, match=r"no event of news\.post\.v1"):
        fact(MessageAccepted(message_id="m"), id="i", at=AT, stream="news.post.v1")
    with pytest.raises(Invalid, match=r"no stream"):
        fact(MessageAccepted(message_id="m"), id="i", at=AT, stream="nowhere")


def test_a_fact_without_its_key_or_larger_than_kafka_takes_is_refused_when_it_is_made():
    with pytest.raises(Invalid) as missing:
        fact(PostRetracted(entity_id="e01"), id="i", at=AT)
    assert missing.value.reason == "KEY_MISSING"
    with pytest.raises(Invalid) as large:
        fact(PostRetracted(post_id="p", reason="x" * (1 << 20)), id="i", at=AT)
    assert large.value.reason == "EVENT_TOO_LARGE"


def test_a_fact_keyed_by_its_entity_may_be_of_none():
    """What belongs to no entity is audited too, in the chain of none."""
    made = fact(ActionAudited(audit_id="a"), id="i", at=AT)
    assert made.key == b""


def test_ids_are_version_7_and_sort_by_time():
    ids = [new_id() for _ in range(5000)]
    assert len(set(ids)) == len(ids)
    assert {uuid.UUID(one).version for one in ids} == {7}
    assert {uuid.UUID(one).variant for one in ids} == {uuid.RFC_4122}
    first, last = uuid.UUID(ids[0]), uuid.UUID(ids[-1])
    assert first < last
    assert abs((first.int >> 80) / 1000 - datetime.now(UTC).timestamp()) < 60


def test_unknown_event_classes_are_refused():
    assert event_class("rossio.news.v1.PostRetracted") is PostRetracted
    for name in ("rossio.news.v1.Nothing", "rossio.nothing.v1.Nothing", "Nothing", ""):
        with pytest.raises(Invalid):
            event_class(name)
