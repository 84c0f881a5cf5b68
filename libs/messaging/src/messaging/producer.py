"""Publishing, durably."""

from asyncio import gather
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING

import telemetry
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder
from errors import Invalid, Transient
from store import OutboxRecord
from telemetry import names, semconv

from messaging.kafka import Kafka
from messaging.refusal import no_answer

if TYPE_CHECKING:
    from faststream.kafka import KafkaBroker
    from faststream.security import BaseSecurity

_ATTRIBUTES: Mapping[str, str] = {
    semconv.MESSAGING_SYSTEM_NAME: "kafka",
    semconv.MESSAGING_OPERATION_TYPE: "send",
}


_BATCH_BYTES = 256 * 1024
"""Of the records that go into one partition with one request."""


class Producer:
    """Publishes events. What it has returned from is replicated (acks=all).

    A single event goes through FastStream; several go straight to the client, which keeps them pipelined at a
    third of the cost. FastStream's publish_batch() is not used: it puts records of different keys into one
    partition and drops their headers.
    """

    def __init__(self, kafka: Kafka, *, max_request_bytes: int = 2 << 20) -> None:
        self._kafka = kafka
        self._max_request_bytes = max_request_bytes
        self._client: AIOKafkaProducer | None = None
        self._broker: KafkaBroker | None = None
        self._turns = count()

    async def start(self) -> None:
        """Connects; raises Transient when no broker answers."""
        from faststream.kafka import KafkaBroker  # noqa: PLC0415 - 0.1 s that tools which publish nothing save

        client = AIOKafkaProducer(
            **self._kafka.producer(), max_request_size=self._max_request_bytes, max_batch_size=_BATCH_BYTES
        )
        broker = KafkaBroker(
            self._kafka.bootstrap,
            client_id=self._kafka.client_id,
            acks="all",
            enable_idempotence=self._kafka.idempotence,
            max_request_size=self._max_request_bytes,
            security=_security(self._kafka),
            logger=None,
        )
        try:
            # The client first: FastStream's broker leaks its own when there is nobody to connect to.
            await client.start()
            await broker.start()
        except KafkaError as error:
            await client.stop()
            raise await no_answer(self._kafka, error) from error
        self._client, self._broker = client, broker

    async def stop(self) -> None:
        """Ends what is being published."""
        client, broker, self._client, self._broker = self._client, self._broker, None, None
        if client is not None and broker is not None:
            await client.stop()
            await broker.stop()

    async def publish(self, records: Sequence[OutboxRecord], *, together: bool = False) -> None:
        """Returns when every record is durable. Those of one key keep their order.

        `together` is for records of which each is the only one of its key: those of a stream then go into one
        partition, one call after the other into another, which costs client and broker a fraction.

        Raises:
            Transient: some may not be durable; publishing all of them again is right.
            Invalid: one of them is larger than Kafka takes; others may be published.
        """
        if self._client is None or self._broker is None:
            raise Transient("the producer is not started", reason="KAFKA_DOWN")
        topics = Counter(record.topic for record in records)
        with telemetry.span("publish", kind=telemetry.Kind.PRODUCER, attributes=_ATTRIBUTES, done=_measure(topics)):
            try:
                if together:
                    await _send_together(self._client, records, next(self._turns))
                elif len(records) == 1:
                    await _send_one(self._broker, records[0])
                else:
                    await _send_all(self._client, records)
            except MessageSizeTooLargeError as error:
                raise Invalid("the event is larger than Kafka takes", reason="EVENT_TOO_LARGE") from error
            except KafkaError as error:
                raise Transient("Kafka has not confirmed the events", reason="KAFKA_DOWN") from error


def _security(kafka: Kafka) -> "BaseSecurity | None":
    """How FastStream is told what `Kafka.connection` says."""
    from faststream import security  # noqa: PLC0415 - as in start()

    context = kafka.tls.context() if kafka.tls else None
    if kafka.sasl is None:
        return security.BaseSecurity(context) if context else None
    kinds = {
        "PLAIN": security.SASLPlaintext,
        "SCRAM-SHA-256": security.SASLScram256,
        "SCRAM-SHA-512": security.SASLScram512,
    }
    return kinds[kafka.sasl.mechanism](kafka.sasl.username, kafka.sasl.password, context)


def _measure(topics: Counter[str]) -> Callable[[str, float, str], None]:
    def done(_: str, seconds: float, outcome: str) -> None:
        for topic, records in topics.items():
            names.PUBLISH.bind(stream=topic, outcome=outcome).observe(seconds)
            if outcome == "ok":
                names.PUBLISHED.bind(stream=topic).inc(records)

    return done


async def _send_one(broker: "KafkaBroker", record: OutboxRecord) -> None:
    headers = {name: value.decode() for name, value in record.headers}
    await broker.publish(
        record.payload,
        record.topic,
        key=record.key,
        headers=headers,
        correlation_id=headers.get("correlationid", record.id),
    )


async def _send_all(client: AIOKafkaProducer, records: Sequence[OutboxRecord]) -> None:
    sent = [
        await client.send(record.topic, record.payload, key=record.key, headers=list(record.headers))
        for record in records
    ]
    await gather(*sent)


async def _send_together(client: AIOKafkaProducer, records: Sequence[OutboxRecord], turn: int) -> None:
    by_topic: dict[str, list[OutboxRecord]] = {}
    for record in records:
        by_topic.setdefault(record.topic, []).append(record)
    sent: list[Awaitable[object]] = []
    for topic, some in by_topic.items():
        partitions = sorted(await client.partitions_for(topic))
        partition = partitions[turn % len(partitions)]
        sent += [await client.send_batch(batch, topic, partition=partition) for batch in _batches(client, some)]
    await gather(*sent)


def _batches(client: AIOKafkaProducer, records: Sequence[OutboxRecord]) -> Iterator[BatchBuilder]:
    """The records in as few batches as take them."""
    batch = client.create_batch()
    for record in records:
        while not batch.append(timestamp=None, key=record.key, value=record.payload, headers=list(record.headers)):
            yield batch
            batch = client.create_batch()
    yield batch
