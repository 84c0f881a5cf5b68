"""Looks at the mail of others, recorded before they are answered."""

from collections.abc import Callable
from datetime import datetime

import messaging
from rpc import Caller


class PublishedAudit:
    """`trace.Audit`: a read has no write of its own to ride in, so its record goes to the stream directly."""

    def __init__(
        self, producer: messaging.Producer, *, now: Callable[[], datetime], action: str = "mail.message.trace"
    ) -> None:
        self._action = action
        self._producer = producer
        self._now = now

    async def __call__(self, caller: Caller, resource: str) -> None:
        record = messaging.audited(
            self._action,
            at=self._now(),
            entity_id=caller.entity_id,
            actor=caller.subject,
            actor_entity_id=caller.entity_id,
            resource=resource,
        )
        await self._producer.publish([record])
