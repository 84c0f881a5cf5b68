"""Putting records that cannot be settled otherwise into the dead letters."""

from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer, ConsumerRecord
from errors import RossioError

from messaging.kafka import Kafka

HEADER_ROOM = 64 << 10
"""Bytes that a dead letter may be larger than the largest record of its stream."""


class LetterBox:
    """Writes to one dead-letter topic; connects when there is a first letter."""

    def __init__(self, kafka: Kafka, topic: str, service: str, *, max_request_bytes: int) -> None:
        self._kafka = kafka
        self._topic = topic
        self._service = service
        self._max_request_bytes = max_request_bytes
        self._producer: AIOKafkaProducer | None = None

    async def put(self, record: ConsumerRecord[bytes, bytes], error: BaseException, attempts: int) -> None:
        """Returns when the letter is durable: the record as it came, and why in further headers.

        Raises:
            KafkaError: it may not be.
        """
        producer = await self._connected()
        why = {
            "x-reason": reason_of(error),
            "x-detail": f"{type(error).__name__}: {error}"[:500],
            "x-attempts": str(attempts),
            "x-service": self._service,
            "x-origin": f"{record.topic}:{record.partition}:{record.offset}",
            "x-at": datetime.now(UTC).isoformat(),
        }
        headers = [*record.headers, *((name, text.encode(errors="replace")) for name, text in why.items())]
        value = b"" if record.key is None and record.value is None else record.value
        await producer.send_and_wait(self._topic, value, key=record.key, headers=headers)

    async def stop(self) -> None:
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await producer.stop()

    async def _connected(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                **self._kafka.connection(),
                acks="all",
                enable_idempotence=self._kafka.idempotence,
                max_request_size=self._max_request_bytes,
            )
            await producer.start()
            self._producer = producer
        return self._producer


def reason_of(error: BaseException) -> str:
    """A stable word for why: the reason of one of ours, else "BUG"."""
    return error.reason if isinstance(error, RossioError) else "BUG"
