"""Reading records so that none is dropped and none can block the others."""

import asyncio
import time
from collections.abc import AsyncGenerator, Collection, Mapping
from itertools import takewhile
from math import inf
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from messaging.envelope import UNREADABLE

Record: TypeAlias = "ConsumerRecord[bytes, bytes]"

_NOTHING = TopicPartition("", -1)
"""getmany() returns nothing for it, but keeps max_poll_interval from running out."""
_CAREFUL = 30.0


class Reader:
    """The polls of one started client.

    When getmany() raises, the records that it had in hand are gone, those of other partitions among them, while
    its positions stand behind them. So then all partitions go back to what was last returned, and for a while
    records are read one by one. A record that cannot be read even so (the client decodes the names of headers as
    UTF-8, and the broker does not check them) comes out with nothing but the header `UNREADABLE`.
    """

    def __init__(
        self, client: AIOKafkaConsumer, *, grouped: bool, start: Mapping[TopicPartition, int] | None = None
    ) -> None:
        self._client = client
        self._grouped = grouped
        self._returned = dict(start or {})
        self._careful_until = 0.0

    async def poll(
        self, partitions: Collection[TopicPartition], *, most: int, timeout: float
    ) -> Mapping[TopicPartition, list[Record]]:
        """Records of these partitions, in order. Asked for no partition, it only says that the client is alive.

        Raises:
            KafkaError, UnicodeDecodeError: nothing is lost by it; the next call goes on.
        """
        if self._careful_until:
            found = await self._read_one_by_one(partitions)
        else:
            try:
                # A list of partitions, not pause(): that throws away what is fetched already.
                found = await self._client.getmany(
                    *(partitions or (_NOTHING,)), max_records=most, timeout_ms=int(timeout * 1000)
                )
            except (KafkaError, UnicodeDecodeError):
                self._careful_until = time.monotonic() + _CAREFUL
                await self._go_back()
                raise
        for at, records in found.items():
            self._returned[at] = records[-1].offset + 1
        return found

    async def to_the_end(
        self, partitions: Collection[TopicPartition] | None = None, *, until: float = inf
    ) -> AsyncGenerator[list[Record], None]:
        """All records from here to where these partitions, by default all of them, now end.

        One has ended before that where a record is of the time `until` (milliseconds since 1970) or later.
        """
        behind = set(self._client.assignment() if partitions is None else partitions)
        while behind:
            try:
                found = await self.poll(behind, most=1000, timeout=0.2)
            except UnicodeDecodeError:
                continue
            for at, records in found.items():
                before = list(takewhile(lambda record: record.timestamp < until, records))
                if len(before) < len(records):
                    behind.discard(at)
                yield before
            behind = await self.behind(behind)

    async def behind(self, partitions: Collection[TopicPartition]) -> set[TopicPartition]:
        """Which of the partitions have records that were not returned.

        It asks what the last fetch said, since the embedded broker's list of offsets is short of some hundreds.
        """
        ends = {at: self._client.highwater(at) for at in partitions}
        return {at for at, end in ends.items() if end is None or await self._client.position(at) < end}

    def forget(self) -> None:
        """The partitions are revoked; what comes next starts at the committed position."""
        self._returned.clear()

    async def _go_back(self) -> None:
        for at in self._client.assignment():
            offset = self._returned.get(at)
            if offset is None and self._grouped:
                offset = await self._client.committed(at)
            if offset is None:
                await self._client.seek_to_beginning(at)
            else:
                self._client.seek(at, offset)

    async def _read_one_by_one(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, list[Record]]:
        found: dict[TopicPartition, list[Record]] = {}
        for at in partitions:
            try:
                found.update(await self._client.getmany(at, max_records=1))
            except UnicodeDecodeError as error:
                offset = await self._client.position(at)
                self._client.seek(at, offset + 1)
                found[at] = [_stand_in(at, offset, error)]
                self._careful_until = 0.0
        if not found:
            await asyncio.sleep(0.05)
        if time.monotonic() > self._careful_until:
            self._careful_until = 0.0
        return found


def _stand_in(at: TopicPartition, offset: int, error: Exception) -> Record:
    headers = ((UNREADABLE, type(error).__name__.encode()),)
    return ConsumerRecord(at.topic, at.partition, offset, 0, 0, None, b"", None, 0, 0, headers)
