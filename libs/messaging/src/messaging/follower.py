"""Reading whole streams into memory."""

import asyncio
from collections.abc import Mapping, Sequence

import telemetry
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError
from errors import Invalid
from telemetry import names
from telemetry.background import end, keep

from messaging.catalogue import catalogue, event_class
from messaging.envelope import Delivery, read, read_type
from messaging.kafka import Kafka, close
from messaging.reader import Reader, Record
from messaging.refusal import no_answer
from messaging.settle import Handler

log = telemetry.logger(__name__)

_MOST = 5000


class Follower:
    """Applies every record of some streams from their beginning, then what comes; it has no group.

    With `from_now` only what comes: for a process that passes news on and has its state from elsewhere.

    A record that cannot be read or applied is skipped, since one bad record must not keep a service from its
    view; it is counted as `skipped` and logged.
    """

    def __init__(self, kafka: Kafka, streams: Sequence[str], apply: Handler, *, from_now: bool = False) -> None:
        self._kafka = kafka
        self._from_now = from_now
        self._streams = [catalogue().stream(name).name for name in streams]
        self._apply = apply
        self._caught_up = asyncio.Event()
        self._client: AIOKafkaConsumer | None = None
        self._task: asyncio.Task[None] | None = None
        self._followed = {name: names.FOLLOWED.bind(stream=name) for name in self._streams}

    async def start(self) -> None:
        """Begins to read; raises Transient when no broker answers or a stream is not there yet.

        With `from_now` it returns when everything published from then on will be applied.
        """
        # Were it "earliest" all the same, that first reset could overtake the way to the end.
        reset = "latest" if self._from_now else "earliest"
        client = AIOKafkaConsumer(
            *self._streams, **self._kafka.connection(), enable_auto_commit=False, auto_offset_reset=reset
        )
        try:
            await client.start()
            start = await _ends(client) if self._from_now else {}
        except KafkaError as error:
            await close(client)
            raise await no_answer(self._kafka, error, "Kafka does not answer, or lacks a stream") from error
        self._client = client
        self._task = keep(f"follower.{self._streams[0]}", self._follow(client, start))

    async def stop(self) -> None:
        client, task, self._client, self._task = self._client, self._task, None, None
        if task is not None and client is not None:
            await end(task)
            await close(client)

    async def caught_up(self) -> None:
        """Returns when all that was there at the start is applied."""
        await self._caught_up.wait()

    async def _follow(self, client: AIOKafkaConsumer, start: Mapping[TopicPartition, int]) -> None:
        reader = Reader(client, grouped=False, start=start)
        behind = set(client.assignment())
        while True:
            try:
                found = await reader.poll(client.assignment(), most=_MOST, timeout=0.5)
            except (KafkaError, UnicodeDecodeError):
                log.exception("poll failed")
                await asyncio.sleep(1)
                continue
            for records in found.values():
                await self._take(records)
            if behind:
                behind = await reader.behind(behind)
                if not behind:
                    self._caught_up.set()

    async def _take(self, records: Sequence[Record]) -> None:
        deliveries: list[Delivery] = []
        for record in records:
            try:
                deliveries.append(read(record, event_class(read_type(record).decode())))
            except (Invalid, UnicodeDecodeError) as error:
                _skip(record.topic, record.offset, error)
        try:
            if deliveries:
                await self._apply(deliveries)
        except Exception:  # noqa: BLE001 - as in settle: the bad one is found and skipped
            for delivery in deliveries:
                await self._apply_alone(delivery)
        self._followed[records[0].topic].inc(len(records))

    async def _apply_alone(self, delivery: Delivery) -> None:
        try:
            await self._apply([delivery])
        except Exception as error:  # noqa: BLE001 - as in settle
            _skip(delivery.topic, delivery.offset, error)


async def _ends(client: AIOKafkaConsumer) -> dict[TopicPartition, int]:
    """Goes to the end of every partition, and returns where that is."""
    if not await client.seek_to_end():
        raise KafkaTimeoutError
    return {at: await client.position(at) for at in client.assignment()}


def _skip(topic: str, offset: int, error: Exception) -> None:
    log.error("record skipped", exc=error, stream=topic, offset=offset)
