"""The consume loop of one stream and service."""

import asyncio
from collections.abc import Mapping
from itertools import count

import telemetry
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from errors import Invalid
from google.protobuf.message import Message
from telemetry.background import end, keep

from messaging.catalogue import Stream, catalogue
from messaging.envelope import read_type
from messaging.kafka import Kafka
from messaging.reader import Record
from messaging.refusal import no_answer
from messaging.settle.item import Handler, Item
from messaging.settle.lanes import Partition
from messaging.settle.letters import LetterBox
from messaging.settle.limit import Limit
from messaging.settle.measures import Measures
from messaging.settle.source import Source
from messaging.settle.verdict import Patience
from messaging.settle.workers import Workers

log = telemetry.logger(__name__)

_POLL = 0.5
_ANSWER = 5.0
"""Seconds that a broker has to answer when a consumer leaves."""
_POLLS_TO_REVIVE = 20
"""After so many failed polls, a second apart, the client is taken to be dead and made anew."""


class Consumer:
    """Settles every record of a stream for one service: at least once, and in order per key.

    A record is done when its handler returns. `Transient` and a timeout make it wait in its lane with growing
    pauses; `Invalid` makes it a dead letter at once, any other exception after a few attempts. Types without a
    handler are settled as done.
    """

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
        linger: float = 0.0,
    ) -> None:
        """Raises Invalid when topics.yaml has no such consumer, or a handler is for a type that is never on the stream.

        `batch` is the most events of one call, and `concurrency` the most calls at one time. The events of a call
        are whole prefixes of lanes; when it fails, each is tried again by itself. Types that share a handler may
        share its calls. `linger` is how many seconds are waited after a poll that brought something, so that under
        load records come in fewer and larger fetches.
        """
        self._stream = catalogue().stream(stream) if isinstance(stream, str) else stream
        self._routes = {kind.DESCRIPTOR.full_name.encode(): (kind, handler) for kind, handler in handlers.items()}
        if strangers := {name.decode() for name in self._routes} - self._stream.events:
            raise Invalid(f"never on {self._stream.name}: {', '.join(strangers)}", reason="EVENT_NOT_ON_STREAM")
        if service not in self._stream.consumers:
            raise Invalid(f"topics.yaml: {service} is no consumer of {self._stream.name}", reason="NO_CONSUMER")
        self._kafka = kafka
        self._service = service.encode()
        self._patience = patience or Patience()
        self._limit = limit or Limit()
        self._linger = linger
        self._window = max(128, 2 * batch)
        self._measures = Measures(self._stream.name, service)
        self._letters = LetterBox(kafka, self._stream, service)
        self._source = Source(
            kafka,
            self._stream.name,
            self._stream.group(service),
            rebalance=2 * self._patience.grace + 15,
            revoked=self._give_up,
        )
        self._room = asyncio.Event()
        self._workers = Workers(
            self._stream,
            service,
            self._letters,
            self._measures,
            batch=batch,
            concurrency=concurrency,
            patience=self._patience,
            limit=self._limit,
            room=self._room.set,
        )
        self._partitions: dict[TopicPartition, Partition] = {}
        self._settled_ahead: dict[TopicPartition, frozenset[tuple[int, int]]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Joins the group; raises Transient when no broker answers."""
        try:
            await self._source.start()
        except KafkaError as error:
            raise await no_answer(self._kafka, error) from error
        loops = {"poll": self._poll(), "commit": self._commit_often(), "watch": self._workers.watch()}
        self._tasks = [keep(f"consumer.{self._stream.name}.{name}", loop) for name, loop in loops.items()]

    async def stop(self) -> None:
        """Ends the work in hand, for at most `drain` seconds, and commits it."""
        if not self._tasks:
            return
        poll, *others = self._tasks
        self._tasks = []
        await end(poll)
        await self._workers.rest(self._patience.drain)
        await end(*others)
        await self._leave()
        await self._letters.stop()

    async def _poll(self) -> None:
        failed = 0
        while True:
            assigned = self._source.assigned()
            free = [at for at in assigned if at not in self._partitions or self._has_room(self._partitions[at])]
            if assigned and not free:
                await self._wait_for_room()
            patience = _POLL if len(free) == len(assigned) else 0.02 if free else 0
            try:
                found = await self._source.poll(free, most=self._window, timeout=patience)
            except (KafkaError, UnicodeDecodeError):
                log.exception("poll failed", stream=self._stream.name)
                failed += 1
                await asyncio.sleep(1)
                if failed == _POLLS_TO_REVIVE:
                    await self._revive()
                    failed = 0
                continue
            failed = 0
            for at, records in found.items():
                self._take(at, records)
            self._workers.spawn()
            if found and self._linger:
                await asyncio.sleep(self._linger)

    def _has_room(self, partition: Partition) -> bool:
        return len(partition.watermark) < self._window

    async def _wait_for_room(self) -> None:
        """Until records were settled; but not so long that the group takes this member for dead."""
        self._room.clear()
        timer = asyncio.get_running_loop().call_later(_POLL, self._room.set)
        await self._room.wait()
        timer.cancel()

    def _take(self, at: TopicPartition, records: list[Record]) -> None:
        partition = self._partitions.get(at)
        if partition is None:
            # What the first fetch says of the end is said after the assignment: whatever lies behind came later.
            partition = self._partitions[at] = Partition(self._source.end(at))
        settled = self._settled_ahead.get(at, frozenset())
        for record in records:
            try:
                route = self._routes.get(read_type(record, self._service))
            except Invalid as error:
                item = Item(record, refusal=error)
            else:
                if route is None:
                    self._measures.unknown.inc()
                    partition.skip(Item(record))
                    continue
                item = Item(record, *route)
            if settled and (record.offset, record.timestamp) in settled:
                partition.skip(item)
            elif lane := partition.add(item):
                self._workers.ready.put(lane)
        partition.watermark.advance()

    async def _commit(self, partitions: Mapping[TopicPartition, Partition]) -> None:
        marks = {at: partition.watermark for at, partition in partitions.items()}
        ahead = {at: mark.position for at, mark in marks.items() if mark.position not in (None, mark.committed)}
        if ahead:
            telemetry.points.reached("messaging.commit")
            if await self._source.commit(ahead):
                for at, position in ahead.items():
                    marks[at].committed = position

    async def _commit_often(self) -> None:
        for ticks in count():
            await asyncio.sleep(self._patience.commit)
            await self._commit(dict(self._partitions))
            if ticks % 5 == 0:
                self._report()

    def _report(self) -> None:
        for at, partition in self._partitions.items():
            end_of, settled = self._source.end(at), partition.watermark.next
            if end_of is not None and settled is not None:
                self._measures.lag(at, end_of - settled)
        self._measures.report(self._partitions, waiting=self._workers.asleep, stopped=self._limit.reached)

    async def _give_up(self) -> None:
        """Lets all partitions go, within two graces: what is in hand ends and is committed, the rest comes again."""
        await self._workers.rest(self._patience.grace)
        partitions, self._partitions = self._partitions, {}
        for partition in partitions.values():
            partition.revoked = True
        self._workers.forget()
        await self._workers.rest(self._patience.grace)  # No attempt begins any more.
        self._workers.cancel()
        for at, partition in partitions.items():
            # When it comes back to this process, these are not done again.
            self._settled_ahead[at] = partition.watermark.settled_ahead()
            self._measures.lag(at, 0)
        self._source.forget()
        await self._commit(partitions)

    async def _leave(self) -> None:
        """Commits and leaves the group; each for a limited time, since aiokafka tries for ever to reach a broker."""
        for step, seconds in ((self._give_up, 2 * self._patience.grace + _ANSWER), (self._source.stop, _ANSWER)):
            try:
                async with asyncio.timeout(seconds):
                    await step()
            except TimeoutError:
                log.warning("left without an answer: the last records come again", stream=self._stream.name)

    async def _revive(self) -> None:
        """A new client in the place of one that fails for good, such as after a bug in its coordination."""
        log.error("the client is made anew", stream=self._stream.name)
        await self._leave()
        while True:
            try:
                return await self._source.start()
            except KafkaError:
                log.exception("no broker answers", stream=self._stream.name)
                await asyncio.sleep(1)
