"""The durable log of accepted mail: its Kafka streams, with commits grouped over connections."""

from collections.abc import Sequence

import messaging
from store import OutboxRecord

from mail_routing.adapters import wire
from mail_routing.adapters.grouped import Grouped
from mail_routing.domain.message import Message


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
    """

    def __init__(self, producer: messaging.Producer) -> None:
        self._producer = producer
        self._unique: Grouped[OutboxRecord, None] = Grouped(self._publish_together)
        self._keyed: Grouped[OutboxRecord, None] = Grouped(self._publish, lanes=4)

    async def append(self, message: Message) -> None:
        grouped = self._unique if message.origin.unique else self._keyed
        await grouped(accepted_fact(message))

    async def _publish_together(self, records: Sequence[OutboxRecord]) -> Sequence[None]:
        await self._producer.publish(records, together=True)
        return [None] * len(records)

    async def _publish(self, records: Sequence[OutboxRecord]) -> Sequence[None]:
        await self._producer.publish(records)
        return [None] * len(records)
