"""The dead letters of a stream and service: listed, shown, redriven, dropped.

A dead-letter topic has one partition and is a log of two kinds of records: letters, which the settling consumer
writes, and marks, which say what was done with letters before them. So what was done lives as long as the letters
and is not forgotten as the offsets of an idle group are (after seven days). The number of a letter is its offset.

A redrive is three steps: mark the letters as being redriven, by whom, until when, and where the stream ended then;
publish them to their stream; mark them as redriven. Of two redrives at one moment the one whose mark stands first in
the log has the letters, and the other sees that when it reads back. A redrive that was killed between two steps is
finished by a next one when its time is over: that reads the stream from where it ended then, and publishes only those
that are not there yet.
"""

import time
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import telemetry
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from errors import Conflict, Invalid, NotFound, Transient
from telemetry import names

from messaging.catalogue import Stream, catalogue
from messaging.envelope import REDRIVE_FOR, REDRIVE_OF
from messaging.identity import new_id
from messaging.kafka import Kafka
from messaging.letter import PREFIX, Claim, Letter, State, letter_of
from messaging.reader import Reader, Record
from messaging.refusal import no_answer

_MARK = f"{PREFIX}mark"
_LETTERS = f"{PREFIX}letters"
_ENDS = f"{PREFIX}ends"
_BY = f"{PREFIX}by"
_UNTIL = f"{PREFIX}until"
_AT_ONCE = 100
Headers = list[tuple[str, bytes]]


class DeadLetters:
    """The dead letters of one stream and service.

    All methods raise Transient when no broker answers, or the topics are not there yet.
    """

    def __init__(
        self,
        kafka: Kafka | str,
        stream: str | Stream,
        service: str,
        *,
        lease: timedelta = timedelta(minutes=1),
    ) -> None:
        """`lease` is how long a redrive has its letters for itself; after that a next one may finish it."""
        self._kafka = Kafka(kafka) if isinstance(kafka, str) else kafka
        self._stream = catalogue().stream(stream) if isinstance(stream, str) else stream
        if service not in self._stream.consumers:
            raise Invalid(f"topics.yaml: {service} is no consumer of {self._stream.name}", reason="NO_CONSUMER")
        self._service = service
        self._lease = lease
        self._at = TopicPartition(self._stream.dead_letters(service), 0)

    async def list(self, *, settled: bool = False) -> Sequence[Letter]:
        """The letters in their order; with `settled` also those that were redriven or dropped."""
        async with self._reading() as client:
            letters = await self._read(client)
        return [letter for letter in letters.values() if settled or letter.open]

    async def show(self, number: int) -> Letter:
        """One letter; raises NotFound."""
        async with self._reading() as client:
            return _chosen(await self._read(client), {number}, settled=True)[0]

    async def redrive(self, numbers: Collection[int] | None = None) -> int:
        """Publishes letters to their stream again, for this service alone; by default all that are open.

        Each reaches the stream once, even when two are redriven at one moment, or one is killed at any point and
        run again. They come behind newer events of their key.

        Returns:
            How many were settled by it.

        Raises:
            NotFound: one of the numbers is of no open letter; nothing was done.
            Invalid: one of the letters named has no record to publish.
            Conflict: another redrive has some of them now, or this one took longer than its lease.
        """
        async with self._reading() as client, self._publishing() as producer:
            letters = _chosen(await self._read(client), numbers)
            if numbers is None:
                letters = [letter for letter in letters if letter.whole]
            elif any(not letter.whole for letter in letters):
                raise Invalid("the client could not read the record, so there is nothing to publish", reason="EMPTY")
            over = time.monotonic() + self._lease.total_seconds()
            claimed = await self._claimed(client, producer, letters)
            published = await self._published(client, claimed)
            for part in _parts(claimed):
                if self._lease and time.monotonic() > over:
                    raise Conflict("this redrive took longer than its lease: run it again", reason="LEASE_OVER")
                await self._publish(producer, [each for each in part if each.number not in published])
                await self._mark(producer, State.REDRIVEN, part)
        names.REDRIVEN.bind(stream=self._stream.name, group=self._service).inc(len(claimed))
        return len(claimed)

    async def drop(self, numbers: Collection[int] | None = None) -> int:
        """Gives letters up, by default all that are open; returns how many. Raises NotFound as `redrive`."""
        async with self._reading() as client, self._publishing() as producer:
            letters = _chosen(await self._read(client), numbers)
            for part in _parts(letters):
                await self._mark(producer, State.DROPPED, part)
        return len(letters)

    async def _claimed(
        self, client: AIOKafkaConsumer, producer: AIOKafkaProducer, letters: Sequence[Letter]
    ) -> Sequence[Letter]:
        """The letters, marked as being redriven by us and nobody else."""
        if not letters:
            return []
        partitions = await producer.partitions_for(self._stream.name)
        ends = await client.end_offsets([TopicPartition(self._stream.name, number) for number in partitions])
        claim = Claim(new_id(), datetime.now(UTC) + self._lease)
        for part in _parts(letters):
            await self._mark(producer, State.REDRIVING, part, {at.partition: end for at, end in ends.items()}, claim)
        telemetry.points.reached("messaging.redrive.marked")
        now = await self._read(client)
        marked = [now[letter.number] for letter in letters]
        if taken := [letter for letter in marked if letter.claim is None or letter.claim.by != claim.by]:
            until = max((letter.claim.until for letter in taken if letter.claim), default=claim.until)
            numbers = ", ".join(str(letter.number) for letter in taken[:5])
            raise Conflict(
                f"{len(taken)} of {len(letters)} letters ({numbers} ...) are being handled by another command; "
                f"if it was killed, run this again after {until:%H:%M:%S} UTC",
                reason="REDRIVING",
            )
        return marked

    async def _publish(self, producer: AIOKafkaProducer, letters: Sequence[Letter]) -> None:
        sent = [
            await producer.send(self._stream.name, letter.payload, key=letter.key, headers=self._again(letter))
            for letter in letters
        ]
        for each in sent:
            await each
        telemetry.points.reached("messaging.redrive.published")

    async def _published(self, client: AIOKafkaConsumer, letters: Sequence[Letter]) -> set[int]:
        """Which letters a redrive that was killed has published."""
        begun = {self._name(letter): letter for letter in letters if letter.began}
        if not begun:
            return set()
        froms: dict[int, int] = {}
        for letter in begun.values():
            for partition, offset in letter.began.items():
                froms[partition] = min(offset, froms.get(partition, offset))
        return {
            begun[name].number
            async for record in self._records(
                client, {TopicPartition(self._stream.name, partition): offset for partition, offset in froms.items()}
            )
            if (name := dict(record.headers).get(REDRIVE_OF)) in begun
        }

    async def _read(self, client: AIOKafkaConsumer) -> dict[int, Letter]:
        letters: dict[int, Letter] = {}
        async for record in self._records(client, {self._at: None}):
            headers = dict(record.headers)
            if _MARK not in headers:
                letters[record.offset] = letter_of(record)
                continue
            state = State(headers[_MARK].decode())
            ends, claim = _ends_of(headers.get(_ENDS, b"")), _claim_of(headers)
            at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
            for number in map(int, headers[_LETTERS].decode().split(",")):
                if number in letters:  # else it is so old that the log has lost it
                    letters[number] = letters[number].marked(state, ends, claim, at)
        return letters

    async def _mark(
        self,
        producer: AIOKafkaProducer,
        state: State,
        letters: Sequence[Letter],
        ends: Mapping[int, int] | None = None,
        claim: Claim | None = None,
    ) -> None:
        headers = [
            (_MARK, state.value.encode()),
            (_LETTERS, ",".join(str(letter.number) for letter in letters).encode()),
            (_ENDS, ",".join(f"{partition}:{offset}" for partition, offset in (ends or {}).items()).encode()),
        ]
        if claim is not None:
            headers += [(_BY, claim.by.encode()), (_UNTIL, claim.until.isoformat().encode())]
        await producer.send_and_wait(self._at.topic, b"", partition=0, headers=headers)

    async def _records(
        self, client: AIOKafkaConsumer, positions: Mapping[TopicPartition, int | None]
    ) -> AsyncIterator[Record]:
        """Everything from these positions (None: the beginning) to the ends."""
        if missing := {at.topic for at in positions} - await client.topics():
            raise Transient(f"no topic {', '.join(missing)}", reason="TOPIC_MISSING")
        client.assign(list(positions))
        for at, offset in positions.items():
            if offset is None:
                await client.seek_to_beginning(at)
            else:
                client.seek(at, offset)
        async for records in Reader(client, grouped=False).to_the_end():
            for record in records:
                yield record

    def _again(self, letter: Letter) -> Headers:
        """The headers for the second time. Whose redrive it is comes first, where a consumer sees it at no cost."""
        own = [(REDRIVE_FOR, self._service.encode()), (REDRIVE_OF, self._name(letter))]
        return own + [header for header in letter.headers if header[0] not in (REDRIVE_FOR, REDRIVE_OF)]

    def _name(self, letter: Letter) -> bytes:
        return f"{self._at.topic}:{letter.number}".encode()

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AIOKafkaConsumer]:
        client = AIOKafkaConsumer(**self._kafka.connection(), enable_auto_commit=False, auto_offset_reset="earliest")
        async with _connected(self._kafka, client):
            yield client

    @asynccontextmanager
    async def _publishing(self) -> AsyncIterator[AIOKafkaProducer]:
        producer = AIOKafkaProducer(**self._kafka.producer(), max_request_size=self._stream.max_letter_bytes)
        async with _connected(self._kafka, producer):
            yield producer


def _chosen(letters: Mapping[int, Letter], numbers: Collection[int] | None, *, settled: bool = False) -> list[Letter]:
    """The letters with these numbers, or all that are open."""
    if numbers is None:
        return [letter for letter in letters.values() if letter.open]
    missing = [number for number in numbers if number not in letters or not (settled or letters[number].open)]
    if missing:
        raise NotFound(f"no such dead letter: {', '.join(map(str, sorted(missing)))}")
    return [letters[number] for number in sorted(numbers)]


def _parts(letters: Sequence[Letter]) -> Iterator[Sequence[Letter]]:
    return (letters[start : start + _AT_ONCE] for start in range(0, len(letters), _AT_ONCE))


def _claim_of(headers: Mapping[str, bytes]) -> Claim | None:
    """Whose mark it is; None of a mark that claims nothing."""
    by, until = headers.get(_BY), headers.get(_UNTIL)
    return None if by is None or until is None else Claim(by.decode(), datetime.fromisoformat(until.decode()))


def _ends_of(header: bytes) -> dict[int, int]:
    """Offsets by partition, from "0:12,1:7"."""
    pairs = (pair.split(b":") for pair in header.split(b",") if pair)
    return {int(partition): int(offset) for partition, offset in pairs}


@asynccontextmanager
async def _connected(kafka: Kafka, client: AIOKafkaConsumer | AIOKafkaProducer) -> AsyncIterator[None]:
    try:
        await client.start()
        yield
    except KafkaError as error:
        raise await no_answer(kafka, error) from error
    finally:
        await client.stop()
