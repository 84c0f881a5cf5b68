"""Reading what was published in a time gone by."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import datetime

import telemetry
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from errors import Invalid

from messaging.catalogue import catalogue, event_class
from messaging.envelope import Delivery, read, read_type
from messaging.kafka import Kafka, close
from messaging.reader import Reader
from messaging.refusal import no_answer

log = telemetry.logger(__name__)


async def published(
    kafka: Kafka, streams: Sequence[str], since: datetime, until: datetime
) -> AsyncGenerator[Delivery, None]:
    """The events that were published from `since` on and before `until`, as far as their streams still hold them.

    Each key's in order, the keys in any. A record that cannot be read is passed over and logged.

    Raises:
        Transient: no broker answers, or a stream is not there yet.
    """
    names = [catalogue().stream(name).name for name in streams]
    client = AIOKafkaConsumer(*names, **kafka.connection(), enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        await client.start()
        starts = await _positions(client, since)
        reader = Reader(client, grouped=False, start=starts)
        async with aclosing(reader.to_the_end(starts, until=until.timestamp() * 1000)) as found:
            async for records in found:
                for record in records:
                    try:
                        yield read(record, event_class(read_type(record).decode()))
                    except (Invalid, UnicodeDecodeError) as error:
                        log.warning("record passed over", exc=error, stream=record.topic, offset=record.offset)
    except KafkaError as error:
        raise await no_answer(kafka, error, "Kafka does not answer, or lacks a stream") from error
    finally:
        await close(client)


async def _positions(client: AIOKafkaConsumer, since: datetime) -> dict[TopicPartition, int]:
    """Goes to the first record from that time on; partitions that have none are left out."""
    wanted = dict.fromkeys(client.assignment(), int(since.timestamp() * 1000))
    found = await client.offsets_for_times(wanted) if wanted else {}
    starts = {at: there.offset for at, there in found.items() if there is not None}
    for at, offset in starts.items():
        client.seek(at, offset)
    return starts
