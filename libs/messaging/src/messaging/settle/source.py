"""The client beneath a consumer, made safe: what it drops is read again, what it cannot read is passed on as such."""

import asyncio
import time
from collections.abc import Collection, Mapping

import telemetry
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from messaging.envelope import UNREADABLE
from messaging.kafka import Kafka
from messaging.settle.item import Record

log = telemetry.logger(__name__)

_NOTHING = TopicPartition("", -1)
"""getmany() returns nothing for it, but keeps max_poll_interval from running out."""
_CAREFUL = 30.0


class Source:
    """Reads one topic in one group.

    When getmany() raises, the records that it had in hand are gone, those of other partitions among them, while
    its positions stand behind them. So then all partitions go back to what was last returned, and for a while
    records are read one by one. A record that cannot be read even so (the client decodes the names of headers
    as UTF-8, and the broker does not check them) comes out with the header `UNREADABLE` and nothing else.
    """

    def __init__(
        self, kafka: Kafka, topic: str, group: str, listener: ConsumerRebalanceListener, *, rebalance: float
    ) -> None:
        """
        Args:
            rebalance: Seconds that the listener may need; aiokafka would give it the session timeout.
        """
        self._settings = {
            **kafka.connection(),
            "group_id": group,
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "rebalance_timeout_ms": int(rebalance * 1000),
        }
        self._topic = topic
        self._listener = listener
        self._consumer: AIOKafkaConsumer | None = None
        self._returned: dict[TopicPartition, int] = {}
        self._careful_until = 0.0

    async def start(self) -> None:
        """
        Raises:
            KafkaError: no broker answers.
        """
        consumer = AIOKafkaConsumer(**self._settings)
        consumer.subscribe([self._topic], listener=self._listener)
        try:
            await consumer.start()
        except KafkaError:
            await consumer.stop()
            raise
        self._consumer = consumer

    async def stop(self) -> None:
        """Leaves the group."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    def assigned(self) -> Collection[TopicPartition]:
        return self._running.assignment()

    def end(self, at: TopicPartition) -> int | None:
        """The offset behind the last record of the partition, as far as known."""
        end: int | None = self._running.highwater(at)
        return end

    async def poll(
        self, partitions: Collection[TopicPartition], *, most: int, timeout: float
    ) -> Mapping[TopicPartition, list[Record]]:
        """Records of these partitions, in order; asked for none, it only says that this member is alive.

        Raises:
            KafkaError: nothing is lost by it.
        """
        if self._careful_until:
            found = await self._read_one_by_one(partitions)
        else:
            try:
                # A list of partitions, not pause(): that throws away what is fetched already.
                found = await self._running.getmany(
                    *(partitions or (_NOTHING,)), max_records=most, timeout_ms=int(timeout * 1000)
                )
            except (KafkaError, UnicodeDecodeError):
                self._careful_until = time.monotonic() + _CAREFUL
                await self._go_back()
                raise
        for at, records in found.items():
            self._returned[at] = records[-1].offset + 1
        return found

    async def commit(self, positions: Mapping[TopicPartition, int]) -> bool:
        """Whether that succeeded; what is not committed comes again. It waits as long as the broker is away."""
        try:
            await self._running.commit(dict(positions))
        except (CommitFailedError, IllegalStateError):
            log.warning("not committed, since the partitions are gone", stream=self._topic)
        except KafkaError:
            log.exception("not committed", stream=self._topic)
        else:
            return True
        return False

    def revoked(self) -> None:
        """The partitions are gone; what comes next starts at the committed position."""
        self._returned.clear()

    @property
    def _running(self) -> AIOKafkaConsumer:
        assert self._consumer is not None, "start() comes first"
        return self._consumer

    async def _go_back(self) -> None:
        for at in self._running.assignment():
            offset = self._returned.get(at)
            if offset is None:
                offset = await self._running.committed(at)
            if offset is None:
                await self._running.seek_to_beginning(at)
            else:
                self._running.seek(at, offset)

    async def _read_one_by_one(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, list[Record]]:
        found: dict[TopicPartition, list[Record]] = {}
        for at in partitions:
            try:
                found.update(await self._running.getmany(at, max_records=1))
            except UnicodeDecodeError as error:
                offset = await self._running.position(at)
                self._running.seek(at, offset + 1)
                found[at] = [_unreadable(at, offset, error)]
                self._careful_until = 0.0
        if not found:
            await asyncio.sleep(0.05)
        if time.monotonic() > self._careful_until:
            self._careful_until = 0.0
        return found


def _unreadable(at: TopicPartition, offset: int, error: Exception) -> Record:
    headers = ((UNREADABLE, type(error).__name__.encode()),)
    return Record(at.topic, at.partition, offset, 0, 0, None, b"", None, 0, 0, headers)
