"""Topics as topics.yaml wants them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import telemetry
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from errors import Conflict

from messaging.catalogue import Stream, catalogue
from messaging.kafka import Kafka
from messaging.refusal import no_answer

log = telemetry.logger(__name__)

_LETTERS_KEPT_MS = 30 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it has to be."""

    name: str
    partitions: int
    replicas: int
    configs: Mapping[str, str]


async def ensure_topics(kafka: Kafka | str, *, embedded: bool = False, streams: Iterable[Stream] | None = None) -> None:
    """Creates the topics of the streams and their dead letters, or makes them as they have to be.

    Topics are replicated three times, as far as there are brokers. The embedded broker takes fewer partitions, and
    no settings.

    Args:
        kafka: The broker, or its address.
        embedded: It is the broker of the wheel.
        streams: By default all of topics.yaml.

    Raises:
        Transient: no broker answers.
        Conflict: a topic has more partitions than it should, which Kafka cannot take back.
    """
    settings = Kafka(kafka) if isinstance(kafka, str) else kafka
    wanted = list(streams if streams is not None else catalogue().streams.values())
    admin = AIOKafkaAdminClient(**settings.connection())
    try:
        await admin.start()
        brokers = len((await admin.describe_cluster())["brokers"])
        most = catalogue().devstack_partitions if embedded else None
        topics = [topic for stream in wanted for topic in topics_of(stream, brokers=brokers, most=most)]
        there = {found["topic"]: len(found["partitions"]) for found in await admin.describe_topics()}
        await _create(admin, [topic for topic in topics if topic.name not in there], embedded=embedded)
        if not embedded:
            old = [topic for topic in topics if topic.name in there]
            await _grow(admin, old, there)
            await _configure(admin, old)
    except KafkaError as error:
        raise await no_answer(settings, error, f"Kafka does not answer: {error}") from error
    finally:
        await admin.close()


def topics_of(stream: Stream, *, brokers: int, most: int | None = None) -> list[Topic]:
    """The topic of a stream, and those of its dead letters."""
    replicas = min(3, brokers)
    shared = {"min.insync.replicas": str(max(1, replicas - 1))}
    kept = (
        {"cleanup.policy": "compact"}
        if stream.retention is None
        else {"cleanup.policy": "delete", "retention.ms": str(int(stream.retention.total_seconds() * 1000))}
    )
    configs = {**shared, **kept, "max.message.bytes": str(stream.max_message_bytes)}
    topics = [Topic(stream.name, min(most or stream.partitions, stream.partitions), replicas, configs)]
    letters = {
        **shared,
        "cleanup.policy": "delete",
        "retention.ms": str(_LETTERS_KEPT_MS),
        "max.message.bytes": str(stream.max_letter_bytes),
    }
    # One partition: what was done with a letter stands behind it in the same log (dead_letters.py).
    topics += [Topic(stream.dead_letters(service), 1, replicas, letters) for service in stream.consumers]
    return topics


async def _create(admin: AIOKafkaAdminClient, topics: list[Topic], *, embedded: bool) -> None:
    if not topics:
        return
    answer: Any = await admin.create_topics(
        [
            NewTopic(
                topic.name, topic.partitions, topic.replicas, topic_configs={} if embedded else dict(topic.configs)
            )
            for topic in topics
        ]
    )
    for name, code, *_ in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise error(name)


async def _grow(admin: AIOKafkaAdminClient, topics: list[Topic], there: Mapping[str, int]) -> None:
    more = {topic.name: NewPartitions(topic.partitions) for topic in topics if there[topic.name] < topic.partitions}
    if more:
        # Keys move to other partitions: their order is not kept across the change.
        log.warning("topics grow", topics=sorted(more))
        await admin.create_partitions(more)
    if shrunk := [topic.name for topic in topics if there[topic.name] > topic.partitions]:
        raise Conflict(
            f"more partitions than topics.yaml says: {', '.join(shrunk)}; Kafka takes none back: raise them there, "
            "or delete the topics while they are empty",
            reason="TOPIC_DIFFERS",
        )


async def _configure(admin: AIOKafkaAdminClient, topics: list[Topic]) -> None:
    """Sets what differs; settings that topics.yaml does not speak of go back to the broker's defaults."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in topics]
    if not resources:
        return
    now: dict[str, dict[str, str]] = {}
    answers: list[Any] = await admin.describe_configs(resources)
    for answer in answers:
        for resource in answer.resources:
            _, _, _, name, entries = resource[:5]
            now[name] = {entry[0]: entry[1] for entry in entries}
    differs = [
        ConfigResource(ConfigResourceType.TOPIC, topic.name, configs=dict(topic.configs))
        for topic in topics
        if any(now.get(topic.name, {}).get(key) != value for key, value in topic.configs.items())
    ]
    if differs:
        log.info("topics are set anew", topics=[resource.name for resource in differs])
        await admin.alter_configs(differs)
