"""The client beneath a consumer: one topic, one group."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

import telemetry
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from messaging.kafka import Kafka, close
from messaging.reader import Reader, Record

log = telemetry.logger(__name__)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """All partitions are revoked at each rebalance: aiokafka's protocol is the eager one."""

    def __init__(self, revoked: Callable[[], Awaitable[None]]) -> None:
        self._revoked = revoked

    def on_partitions_revoked(self, revoked: object) -> Any:  # noqa: ARG002 - always all
        return self._revoked()  # awaited by aiokafka

    def on_partitions_assigned(self, assigned: object) -> None:
        pass


class Source:
    """Joins, reads, commits and leaves; it can be started again after a stop."""

    def __init__(
        self, kafka: Kafka, topic: str, group: str, *, rebalance: float, revoked: Callable[[], Awaitable[None]]
    ) -> None:
        """`revoked` is awaited before the partitions go to others; it may take `rebalance` seconds."""
        self._settings = {
            **kafka.member(),
            "group_id": group,
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            # aiokafka would allow the session timeout.
            "rebalance_timeout_ms": int(rebalance * 1000),
        }
        self._topic = topic
        self._listener = _Listener(revoked)
        self._client: AIOKafkaConsumer | None = None
        self._reader: Reader | None = None

    async def start(self) -> None:
        """Joins the group; raises KafkaError when no broker answers."""
        client = AIOKafkaConsumer(**self._settings)
        client.subscribe([self._topic], listener=self._listener)
        try:
            await client.start()
        except KafkaError:
            await close(client)
            raise
        self._client = client
        self._reader = Reader(client, grouped=True)

    async def stop(self) -> None:
        """Leaves the group."""
        client, self._client = self._client, None
        if client is not None:
            await close(client)

    def assigned(self) -> Collection[TopicPartition]:
        assigned: set[TopicPartition] = self._running.assignment()
        return assigned

    def end(self, at: TopicPartition) -> int | None:
        """The offset behind the last record of the partition, as far as known."""
        end: int | None = self._running.highwater(at)
        return end

    async def poll(
        self, partitions: Collection[TopicPartition], *, most: int, timeout: float
    ) -> Mapping[TopicPartition, list[Record]]:
        """See `Reader.poll`."""
        assert self._reader is not None, "start() comes first"
        return await self._reader.poll(partitions, most=most, timeout=timeout)

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

    def forget(self) -> None:
        """The partitions are gone; what comes next starts at the committed position."""
        if self._reader is not None:
            self._reader.forget()

    @property
    def _running(self) -> AIOKafkaConsumer:
        assert self._client is not None, "start() comes first"
        return self._client
