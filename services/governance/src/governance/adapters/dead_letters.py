"""Dead letters in Kafka, and the record of what operators do to them."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import messaging
from errors import NotFound, Transient
from rpc import Caller

from governance.domain.dead_letter import DeadLetter, Queue, State


class KafkaDeadLetters:
    """`ports.DeadLetters`. Topics that nobody has made yet hold no letters."""

    def __init__(self, kafka: messaging.Kafka) -> None:
        self._kafka = kafka

    def queues(self) -> Sequence[Queue]:
        streams = messaging.catalogue().streams.values()
        named = {(stream.name, consumer) for stream in streams for consumer in stream.consumers}
        return [Queue(*pair) for pair in sorted(named)]

    async def list(self, queue: Queue, *, settled: bool) -> Sequence[DeadLetter]:
        try:
            found = await self._of(queue).list(settled=settled)
        except Transient as error:
            if error.reason != "TOPIC_MISSING":
                raise
            return []
        return [_letter(queue, letter) for letter in found]

    async def get(self, queue: Queue, number: int) -> DeadLetter:
        return _letter(queue, await self._of(queue).show(number))

    async def redrive(self, queue: Queue, numbers: Sequence[int]) -> None:
        await self._of(queue).redrive(numbers)

    async def drop(self, queue: Queue, numbers: Sequence[int]) -> None:
        await self._of(queue).drop(numbers)

    def _of(self, queue: Queue) -> messaging.DeadLetters:
        if queue not in self.queues():
            raise NotFound(f"{queue.consumer} settles no stream {queue.stream}")
        return messaging.DeadLetters(self._kafka, queue.stream, queue.consumer)


class PublishedAudit:
    """`ports.Audit`: the acts have no write of their own to ride in, so the record goes to the stream before them."""

    def __init__(self, producer: messaging.Producer, *, now: Callable[[], datetime]) -> None:
        self._producer = producer
        self._now = now

    async def __call__(
        self, caller: Caller, verb: str, queue: Queue, audit_id: str, details: Mapping[str, str]
    ) -> None:
        record = messaging.audited(
            f"governance.dead_letter.{verb}",
            id=audit_id,
            at=self._now(),
            entity_id="",
            actor=caller.subject,
            actor_entity_id=caller.entity_id,
            resource=f"{queue.stream}/{queue.consumer}",
            details=details,
        )
        await self._producer.publish([record])


def _letter(queue: Queue, letter: messaging.Letter) -> DeadLetter:
    content = letter.content()
    return DeadLetter(
        queue=queue,
        number=letter.number,
        state=State(letter.state.value),
        reason=letter.reason,
        detail=letter.detail,
        attempts=letter.attempts,
        origin=letter.origin,
        at=letter.at,
        event_type=letter.header("ce_type"),
        headers={name: value.decode(errors="replace") for name, value in letter.headers},
        event_json="" if content is None else json.dumps(content, ensure_ascii=False),
    )
