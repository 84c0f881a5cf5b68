"""Accepted mail, from its streams to the use case."""

from collections.abc import Sequence

import telemetry
from messaging import Delivery, Handler
from rossio.mail.v1 import events_pb2

from mail_routing.adapters import wire
from mail_routing.application.deliver import Deliver


def deliver_accepted(deliver: Deliver, *, idempotence: bool) -> Handler:
    """One mail at a time; what costs is grouped below, over the mails that are in hand together.

    Without `idempotence` the producer may have written a record twice, and none counts as fresh.
    """

    async def handle(deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            assert isinstance(delivery.message, events_pb2.MessageAccepted)
            with telemetry.observe("mail.deliver"):
                await deliver(wire.message(delivery.message), fresh=delivery.fresh and idempotence)

    return handle
