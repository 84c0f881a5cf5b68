"""Putting records that cannot be settled otherwise into the dead letters."""

from asyncio import Lock

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from messaging.catalogue import Stream
from messaging.kafka import Kafka
from messaging.letter import why_headers
from messaging.reader import Record


class LetterBox:
    """Writes to the dead letters of one stream and service; it connects when there is a first letter."""

    def __init__(self, kafka: Kafka, stream: Stream, service: str) -> None:
        self._kafka = kafka
        self._topic = stream.dead_letters(service)
        self._max_request_bytes = stream.max_letter_bytes
        self._producer: AIOKafkaProducer | None = None
        self._connecting = Lock()

    async def put(self, record: Record, error: BaseException, attempts: int) -> None:
        """Returns when the letter is durable: the record as it came, with further headers that say why.

        Raises:
            KafkaError: it may not be.
        """
        producer = await self._connected()
        headers = why_headers(record, error, attempts=attempts)
        # aiokafka takes no record that has neither key nor value.
        value = b"" if record.key is None and record.value is None else record.value
        await producer.send_and_wait(self._topic, value, key=record.key, headers=headers)

    async def stop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if self._producer is None:
                producer = AIOKafkaProducer(**self._kafka.producer(), max_request_size=self._max_request_bytes)
                try:
                    await producer.start()
                except KafkaError:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer
