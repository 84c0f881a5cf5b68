"""Accepted mail of the last days, from its streams."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime

import messaging
from rossio.mail.v1 import events_pb2

from mail_routing.adapters import wire
from mail_routing.domain.message import Message


class StreamedPast:
    """`Past`: what the streams of accepted mail still hold."""

    def __init__(self, kafka: messaging.Kafka) -> None:
        self._kafka = kafka

    async def accepted(self, since: datetime, until: datetime) -> AsyncGenerator[Message, None]:
        streams = list(wire.STREAMS.values())
        async with aclosing(messaging.published(self._kafka, streams, since, until)) as found:
            async for delivery in found:
                if isinstance(delivery.message, events_pb2.MessageAccepted):
                    yield wire.message(delivery.message)
