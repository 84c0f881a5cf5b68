"""Reading whole streams into memory."""

import asyncio
from collections.abc import Sequence

import telemetry
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from errors import Invalid, Transient

from messaging.catalogue import catalogue, event_class
from messaging.envelope import Delivery, read, read_type
from messaging.kafka import Kafka
from messaging.settle.item import Handler

log = telemetry.logger(__name__)


class Follower:
    """Applies all records of some streams from their beginning, then what comes. It has no group."""

    def __init__(self, kafka: Kafka, streams: Sequence[str], apply: Handler) -> None:
        self._kafka = kafka
        self._streams = [catalogue().stream(name) for name in streams]
        self._apply = apply
        self._caught_up = asyncio.Event()
        self._consumer: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """
        Raises:
            Transient: no broker answers, or a stream is not there yet.
        """
        consumer = AIOKafkaConsumer(**self._kafka.connection(), enable_auto_commit=False, auto_offset_reset="earliest")
        try:
            await consumer.start()
            found: list[TopicPartition] = []
            for stream in self._streams:
                partitions = await consumer._client._wait_on_metadata(stream.name)  # noqa: SLF001
                found += [TopicPartition(stream.name, number) for number in partitions]
        except KafkaError as error:
            await consumer.stop()
            raise Transient("Kafka does not answer", reason="KAFKA_DOWN") from error
        consumer.assign(found)
        await consumer.seek_to_beginning()
        self._consumer = consumer
        self._task = asyncio.create_task(self._follow(consumer, set(found)))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        if self._consumer is not None:
            await self._consumer.stop()

    async def caught_up(self) -> None:
        """Returns when all that was there at the start is applied."""
        await self._caught_up.wait()

    async def _follow(self, consumer: AIOKafkaConsumer, behind: set[TopicPartition]) -> None:
        while True:
            found = await consumer.getmany(timeout_ms=200, max_records=5000)
            deliveries = [delivery for records in found.values() for delivery in self._deliveries(records)]
            if deliveries:
                await self._apply(deliveries)
            if behind:
                for at in list(behind):
                    end = consumer.highwater(at)
                    if end is not None and await consumer.position(at) >= end:
                        behind.discard(at)
                if not behind:
                    self._caught_up.set()

    def _deliveries(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> list[Delivery]:
        found = []
        for record in records:
            try:
                found.append(read(record, event_class(read_type(record).decode())))
            except Invalid as error:
                log.error("record skipped", stream=record.topic, offset=record.offset, reason=error.reason)
        return found
