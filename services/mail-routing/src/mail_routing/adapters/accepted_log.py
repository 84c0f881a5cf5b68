"""The durable log of accepted mail: its Kafka streams, with commits grouped over connections."""

import asyncio
from collections.abc import Sequence

import errors
import messaging
from store import Grouped, OutboxRecord

from mail_routing.adapters import wire
from mail_routing.domain.message import Message

_LINGER = 0.002
_PATIENCE = 25.0
"""Seconds for a confirmation; a client that waits for less than 30 still hears its 451."""


def accepted_fact(message: Message) -> OutboxRecord:
    """The record of an accepted mail; its event id follows from the mail, so that a repeat is one."""
    return messaging.fact(
        wire.accepted(message),
        id=f"accepted.{message.message_id}",
        at=message.accepted_at,
        stream=wire.STREAMS[message.message_class],
    )


class KafkaAcceptedLog:
    """`AcceptedLog` on a producer with acks=all. Groups are sent while earlier ones wait for their replicas.

    A mail that came by SMTP has an id that no other record has, so that its partition is free. One that was
    submitted may come again under its id, and then has to wait behind the first in the same lane.

    A group that is not confirmed in time is refused, and may be in the log all the same once the broker is well:
    the client never gives up on what it has sent, since it could be there already. Until that is decided nothing
    else is sent, so that of an outage no more is in doubt than what was in hand when it began.
    """

    def __init__(self, producer: messaging.Producer, *, patience: float = _PATIENCE) -> None:
        self._producer = producer
        self._patience = patience
        self._late: set[asyncio.Task[None]] = set()
        self._unique: Grouped[OutboxRecord, None] = Grouped(self._publish_together, linger=_LINGER)
        self._keyed: Grouped[OutboxRecord, None] = Grouped(self._publish, lanes=4)

    async def append(self, message: Message) -> None:
        grouped = self._unique if message.origin.unique else self._keyed
        await grouped(accepted_fact(message))

    async def _publish_together(self, records: Sequence[OutboxRecord]) -> Sequence[None]:
        return await self._confirmed(records, together=True)

    async def _publish(self, records: Sequence[OutboxRecord]) -> Sequence[None]:
        return await self._confirmed(records, together=False)

    async def _confirmed(self, records: Sequence[OutboxRecord], *, together: bool) -> Sequence[None]:
        if self._late:
            raise errors.Transient("Kafka confirms nothing", reason="KAFKA_DOWN")
        sending = asyncio.create_task(self._producer.publish(records, together=together))
        done, _ = await asyncio.wait({sending}, timeout=self._patience)
        if not done:
            self._late.add(sending)
            sending.add_done_callback(self._decided)
            raise errors.Transient("Kafka has not confirmed the mail in time", reason="KAFKA_DOWN")
        await sending
        return [None] * len(records)

    def _decided(self, sending: asyncio.Task[None]) -> None:
        self._late.discard(sending)
        if not sending.cancelled():
            sending.exception()  # whom it would have been told to has gone
