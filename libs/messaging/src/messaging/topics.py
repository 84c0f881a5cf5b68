"""Topics as topics.yaml wants them."""

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from errors import Transient

from messaging.catalogue import Stream, catalogue
from messaging.kafka import Kafka


async def ensure_topics(kafka: Kafka | str, *, embedded: bool = False) -> None:
    """Creates the streams and dead letters that are missing.

    Raises:
        Transient: no broker answers.
    """
    settings = Kafka(kafka) if isinstance(kafka, str) else kafka
    admin = AIOKafkaAdminClient(**settings.connection())
    try:
        await admin.start()
        there = set(await admin.list_topics())
        brokers = len((await admin.describe_cluster())["brokers"])
        wanted = [topic for stream in catalogue().streams.values() for topic in _topics(stream, brokers, embedded)]
        missing = [topic for topic in wanted if topic.name not in there]
        if missing:
            answer = await admin.create_topics(missing)
            for name, code, *_ in answer.topic_errors:
                error = for_code(code)
                if code and error is not TopicAlreadyExistsError:
                    raise error(name)
    except KafkaError as error:
        raise Transient("Kafka does not answer", reason="KAFKA_DOWN") from error
    finally:
        await admin.close()


def _topics(stream: Stream, brokers: int, embedded: bool) -> list[NewTopic]:
    most = catalogue().devstack_partitions if embedded else stream.partitions
    replicas = min(3, brokers)
    configs = {"min.insync.replicas": str(max(1, replicas - 1))}
    if stream.retention is None:
        configs["cleanup.policy"] = "compact"
    else:
        configs["retention.ms"] = str(int(stream.retention.total_seconds() * 1000))
    if stream.max_message_bytes:
        configs["max.message.bytes"] = str(stream.max_message_bytes)
    topics = [NewTopic(stream.name, min(most, stream.partitions), replicas, topic_configs={} if embedded else configs)]
    topics += [NewTopic(stream.dead_letters(service), 1, replicas) for service in stream.consumers]
    return topics
