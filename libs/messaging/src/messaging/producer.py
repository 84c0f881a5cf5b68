"""Publishing, durably."""

from asyncio import gather
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from errors import Invalid, Transient
from store import OutboxRecord

from messaging.kafka import Kafka


class Producer:
    """Publishes events; what it has returned from is replicated (acks=all)."""

    def __init__(self, kafka: Kafka, *, max_request_bytes: int = 2 << 20) -> None:
        self._kafka = kafka
        self._max_request_bytes = max_request_bytes
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """
        Raises:
            Transient: no broker answers.
        """
        producer = AIOKafkaProducer(
            **self._kafka.connection(),
            acks="all",
            enable_idempotence=self._kafka.idempotence,
            max_request_size=self._max_request_bytes,
        )
        try:
            await producer.start()
        except KafkaError as error:
            await producer.stop()
            raise Transient("Kafka does not answer", reason="KAFKA_DOWN") from error
        self._producer = producer

    async def stop(self) -> None:
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await producer.stop()

    async def publish(self, records: Sequence[OutboxRecord]) -> None:
        """Returns when every record is durable; records of one key keep their order.

        Raises:
            Transient: some may not be published; publishing all of them again is right.
        """
        if self._producer is None:
            raise Transient("the producer is not started", reason="KAFKA_DOWN")
        try:
            sent = [
                await self._producer.send(record.topic, record.payload, key=record.key, headers=list(record.headers))
                for record in records
            ]
            await gather(*sent)
        except KafkaError as error:
            raise Transient("Kafka did not take the records", reason="KAFKA_DOWN") from error
