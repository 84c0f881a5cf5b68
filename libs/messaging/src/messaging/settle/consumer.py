"""The consume loop of one stream and service."""

import asyncio
import time
from collections.abc import Mapping

import telemetry
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from errors import Invalid, Transient
from google.protobuf.message import Message
from telemetry import names

from messaging.catalogue import Stream, catalogue
from messaging.envelope import read_type
from messaging.kafka import Kafka
from messaging.settle.lanes import Partition
from messaging.settle.letters import HEADER_ROOM, LetterBox
from messaging.settle.verdict import Limit, Patience
from messaging.settle.watermark import Handler, Item
from messaging.settle.workers import Workers

log = telemetry.logger(__name__)

_NOTHING = TopicPartition("", -1)
"""What getmany() is asked for so that it returns nothing, and max_poll_interval is kept all the same."""
_BROKER_DEFAULT_BYTES = 1 << 20


class Consumer(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka is untyped
    """Settles every record of a stream for one service, at least once and in order per key."""

    def __init__(
        self,
        kafka: Kafka,
        stream: str | Stream,
        service: str,
        handlers: Mapping[type[Message], Handler],
        *,
        batch: int = 1,
        concurrency: int = 64,
        patience: Patience | None = None,
        limit: Limit | None = None,
    ) -> None:
        self._stream = catalogue().stream(stream) if isinstance(stream, str) else stream
        self._service = service
        self._routes = {cls.DESCRIPTOR.full_name.encode(): (cls, handler) for cls, handler in handlers.items()}
        strangers = {name.decode() for name in self._routes} - self._stream.events
        if strangers:
            raise Invalid(f"never on {self._stream.name}: {', '.join(sorted(strangers))}", reason="EVENT_NOT_ON_STREAM")
        self._kafka = kafka
        self._patience = patience or Patience()
        self._window = max(128, 2 * batch)
        self._letters = LetterBox(
            kafka,
            self._stream.dead_letters(service),
            service,
            max_request_bytes=(self._stream.max_message_bytes or _BROKER_DEFAULT_BYTES) + HEADER_ROOM,
        )
        self._room = asyncio.Event()
        self._workers = Workers(
            self._stream.name,
            service,
            self._letters,
            batch=batch,
            concurrency=concurrency,
            patience=self._patience,
            limit=limit or Limit(),
            room=self._room.set,
        )
        self._consumer: AIOKafkaConsumer | None = None
        self._partitions: dict[TopicPartition, Partition] = {}
        self._settled_ahead: dict[TopicPartition, frozenset[tuple[int, int]]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._unknown = names.CONSUMED.bind(stream=self._stream.name, group=service, outcome="unknown")

    async def start(self) -> None:
        """
        Raises:
            Transient: no broker answers.
        """
        consumer = AIOKafkaConsumer(
            **self._kafka.connection(),
            group_id=self._stream.group(self._service),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            # Above the two graces that a revocation may take; aiokafka's default is the session timeout.
            rebalance_timeout_ms=int(self._patience.grace * 2000) + 15000,
        )
        consumer.subscribe([self._stream.name], listener=self)
        try:
            await consumer.start()
        except KafkaError as error:
            await consumer.stop()
            raise Transient("Kafka does not answer", reason="KAFKA_DOWN") from error
        self._consumer = consumer
        self._tasks = [asyncio.create_task(self._poll(consumer)), asyncio.create_task(self._commit_often(consumer))]

    async def stop(self) -> None:
        """Ends the work in hand, at most `drain` seconds of it, and commits it."""
        consumer, self._consumer = self._consumer, None
        if consumer is None:
            return
        poll, *others = self._tasks
        poll.cancel()
        await self._workers.rest(self._patience.drain)
        for task in others:
            task.cancel()
        try:
            # aiokafka tries to commit for ever when the broker is away.
            async with asyncio.timeout(2 * self._patience.grace + 10):
                await self._give_up(consumer)
                await consumer.stop()
                await self._letters.stop()
        except TimeoutError:
            log.error("stopped without a commit", stream=self._stream.name)

    async def _poll(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            assigned = consumer.assignment()
            free = [at for at in assigned if len(self._partition(at).watermark) < self._window]
            if assigned and not free:
                await self._wait_for_room()
            timeout = 500 if len(free) == len(assigned) else 20 if free else 0
            try:
                # A list of partitions, not pause(): that throws away what is already fetched.
                found = await consumer.getmany(*(free or (_NOTHING,)), max_records=self._window, timeout_ms=timeout)
            except KafkaError:
                log.exception("poll failed", stream=self._stream.name)
                await asyncio.sleep(1)
                continue
            for at, records in found.items():
                self._take(at, records)
            self._workers.spawn()

    async def _wait_for_room(self) -> None:
        self._room.clear()
        timer = asyncio.get_running_loop().call_later(0.5, self._room.set)
        await self._room.wait()
        timer.cancel()

    def _partition(self, at: TopicPartition) -> Partition:
        partition = self._partitions.get(at)
        if partition is None:
            partition = self._partitions[at] = Partition()
        return partition

    def _take(self, at: TopicPartition, records: list[ConsumerRecord[bytes, bytes]]) -> None:
        partition = self._partition(at)
        done = self._settled_ahead.get(at, frozenset())
        for record in records:
            try:
                route = self._routes.get(read_type(record))
            except Invalid:
                item = Item(record, None, None)
            else:
                item = Item(record, *route) if route else Item(record, None, None, settled=True)
            if item.settled or (record.offset, record.timestamp) in done:
                self._unknown.inc(item.settled)
                partition.skip(item)
            elif lane := partition.add(item):
                self._workers.ready.put(lane)
        partition.watermark.advance()

    async def _commit(self, consumer: AIOKafkaConsumer, partitions: Mapping[TopicPartition, Partition]) -> None:
        ahead = {
            at: partition.watermark.position
            for at, partition in partitions.items()
            if partition.watermark.position != partition.watermark.committed
        }
        if not ahead:
            return
        telemetry.points.reached("messaging.commit")
        try:
            await consumer.commit(ahead)
        except (CommitFailedError, IllegalStateError):
            log.warning("not committed: it will come again", stream=self._stream.name)
        except KafkaError:
            log.exception("commit failed", stream=self._stream.name)
        else:
            for at, position in ahead.items():
                partitions[at].watermark.committed = position

    async def _commit_often(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            await asyncio.sleep(self._patience.commit_every)
            await self._commit(consumer, dict(self._partitions))

    async def on_partitions_revoked(self, revoked: object) -> None:
        """All partitions go: aiokafka rebalances eagerly. Ends within twice the grace."""
        if self._consumer is not None:
            await self._give_up(self._consumer)

    async def on_partitions_assigned(self, assigned: object) -> None:
        pass

    async def _give_up(self, consumer: AIOKafkaConsumer) -> None:
        until = time.monotonic() + self._patience.grace
        while self._workers and (left := until - time.monotonic()) > 0:
            await self._workers.rest(left)
        partitions, self._partitions = self._partitions, {}
        self._workers.ready.clear()
        for partition in partitions.values():
            partition.revoked = True
        await self._workers.rest(self._patience.grace)
        self._workers.cancel()
        for at, partition in partitions.items():
            # If it comes back to this process, that is not done again.
            self._settled_ahead[at] = partition.watermark.settled_ahead()
        await self._commit(consumer, partitions)
