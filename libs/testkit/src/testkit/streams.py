"""What tests put on the streams, in the place of other services, and what they find there."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import messaging
from google.protobuf.message import Message
from rossio.governance.v1.audit_pb2 import ActionAudited

_BEGINNING = datetime.fromtimestamp(0, UTC)


async def publish(bootstrap: str, events: Iterable[Message], at: datetime | None = None) -> None:
    """Publishes events as the services that they are of would."""
    at = at or datetime.now(UTC)
    producer = messaging.Producer(messaging.Kafka(bootstrap))
    await producer.start()
    await producer.publish([messaging.fact(event, id=messaging.new_id(), at=at) for event in events])
    await producer.stop()


class Told:
    """What a service has told others about one thing: on its stream, whose events name it in `field`, and to audit."""

    def __init__(self, bootstrap: str, stream: str, field: str) -> None:
        self._kafka = messaging.Kafka(bootstrap)
        self._streams = [stream, "audit.v1"]
        self._field = field

    async def about(self, thing_id: str, count: int = 0) -> list[Message]:
        """The events and audit records of the thing, in the order of their ids, once there are `count` of them."""
        async with asyncio.timeout(60):
            while len(told := await self._so_far(thing_id)) < count:
                await asyncio.sleep(0.1)
        return told

    async def names_about(self, thing_id: str, count: int) -> list[str]:
        """The same in short: types of events, and audited actions."""
        return [
            each.action if isinstance(each, ActionAudited) else type(each).__name__
            for each in await self.about(thing_id, count)
        ]

    async def _so_far(self, thing_id: str) -> list[Message]:
        found: dict[str, Message] = {}
        end = datetime.now(UTC) + timedelta(hours=1)
        async for each in messaging.published(self._kafka, self._streams, _BEGINNING, end):
            if thing_id == (getattr(each.message, self._field, "") or getattr(each.message, "resource", "")):
                known = found.setdefault(each.id, each.message)
                assert known == each.message, "one id for two things that were told"
        return [found[event_id] for event_id in sorted(found)]
