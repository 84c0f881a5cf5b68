"""What can be seen from outside: one trace through Kafka, and how the consumer stands."""

import telemetry
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from errors import Invalid, Transient
from messaging import Patience
from telemetry import capture, names


def exposed(name, **labels):
    """The value of a metric's sample, None where there is none."""
    _, text = telemetry.exposition("")
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    for line in text.decode().splitlines():
        if line.startswith((f"{name}{{", f"{name} ")) and all(part in line for part in wanted):
            return float(line.rpartition(" ")[2])
    return None


async def test_the_handlers_span_is_a_child_of_the_publishers_and_facts_go_on_from_it(
    stream, producer, acknowledged, consume, until
):
    made = []

    async def handle(deliveries):
        made.append(acknowledged("next", 1))

    with capture.spans() as spans:
        with telemetry.span("use case"):
            await producer.publish([acknowledged("key", 1)])
        await consume(handle)
        await until(lambda: made and any(span.name == f"process {stream.name}" for span in spans))
    by_name = {span.name: span for span in spans}
    origin, processed = by_name["use case"], by_name[f"process {stream.name}"]
    assert processed.trace_id == origin.trace_id
    assert processed.parent_id == origin.span_id
    assert processed.kind.lower().endswith("consumer")
    assert processed.attributes["messaging.consumer.group.name"] == f"probe.{stream.name}"
    following = telemetry.context_from(dict(made[0].headers)["traceparent"].decode())
    assert following is not None
    assert (following.trace_id, following.span_id) == (processed.trace_id, processed.span_id)


async def test_the_span_of_a_batch_links_to_the_traces_of_its_events(stream, producer, acknowledged, consume, until):
    async def handle(deliveries):
        pass

    with capture.spans() as spans:
        for number in range(3):
            with telemetry.span("use case"):
                record = acknowledged(f"key-{number}", number)
            await producer.publish([record])
        await consume(handle, batch=10)
        await until(lambda: sum(len(span.links) or 1 for span in spans if span.name.startswith("process")) == 3)
    batches = [span for span in spans if span.name.startswith("process") and span.links]
    origins = {(span.trace_id, span.span_id) for span in spans if span.name == "use case"}
    assert {tuple(link) for span in batches for link in span.links} <= origins
    assert batches


async def test_the_metrics_say_what_is_done_dead_waiting_and_behind(stream, producer, acknowledged, consume, until):
    async def handle(deliveries):
        (delivery,) = deliveries
        if delivery.subject == "down":
            raise Transient("down")
        if delivery.subject == "never":
            raise Invalid("never", reason="NEVER")

    await producer.publish([acknowledged(key, 1) for key in ("down", "never", "good-1", "good-2")])
    await consume(handle, patience=Patience(commit=0.05))
    labels = {"stream": stream.name, "group": "probe"}
    await until(lambda: exposed("rossio_messaging_consumed_total", **labels, outcome="done") == 2)
    await until(lambda: exposed("rossio_messaging_dead_letters_total", **labels, reason="NEVER") == 1)
    await until(lambda: exposed("rossio_messaging_waiting_lanes", **labels) == 1)
    await until(lambda: (exposed("rossio_messaging_oldest_unsettled_seconds", **labels) or 0) > 0)
    assert (exposed("rossio_messaging_retried_total", **labels, outcome="wait") or 0) >= 1
    assert exposed("rossio_messaging_stopped", **labels) == 0
    assert exposed("rossio_messaging_settled_age_seconds_count", **labels) == 2


async def test_a_letter_that_its_topic_does_not_take_is_counted_and_its_record_waits(
    kafka, stream, producer, acknowledged, consume, until
):
    async def handle(deliveries):
        raise Invalid("never", reason="NEVER")

    async def take_up_to(size):
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
        await admin.start()
        topic, configs = stream.dead_letters("probe"), {"max.message.bytes": str(size)}
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=configs)])
        await admin.close()

    await take_up_to(1)
    await producer.publish([acknowledged("key", 1)])
    await consume(handle, patience=Patience(first_wait=0.01, longest_wait=0.1))
    labels = {"stream": stream.name, "group": "probe"}
    await until(lambda: capture.value(names.UNBURIED, **labels) >= 1)
    assert capture.value(names.CONSUMED, **labels, outcome="dead") == 0
    await take_up_to(stream.max_letter_bytes)
    await until(lambda: capture.value(names.CONSUMED, **labels, outcome="dead") == 1)
