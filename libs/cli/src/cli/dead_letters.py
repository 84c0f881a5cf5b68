"""Two ways to dead letters: straight to Kafka, or through governance, which keeps a record of who did what."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol

import rpc
from errors import NotFound
from messaging import DeadLetters, Kafka, catalogue, new_id
from rossio.governance.v1 import dead_letters_pb2 as pb
from rossio.governance.v1.dead_letters_pb2_grpc import DeadLetterServiceStub

from cli.client import connect, pages

Row = tuple[str, str, int, str, str, str]
"""Stream, service, number, state, reason, since."""
_AT_ONCE = 1000


class Letters(Protocol):
    """What an operator does with dead letters; numbers None: all that are open."""

    async def list(self, *, settled: bool) -> Sequence[Row]: ...

    async def show(self, stream: str, service: str, number: int) -> tuple[Sequence[tuple[str, Any]], Any]:
        """What is known of the letter, and its event, None where that cannot be read."""
        ...

    async def redrive(self, stream: str, service: str, numbers: Sequence[int] | None) -> int: ...

    async def drop(self, stream: str, service: str, numbers: Sequence[int] | None) -> int: ...


class OnKafka:
    """For whoever reaches the broker."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka

    async def list(self, *, settled: bool) -> Sequence[Row]:
        rows: list[Row] = []
        for stream in catalogue().streams.values():
            for service in stream.consumers:
                try:
                    letters = await DeadLetters(self._kafka, stream, service).list(settled=settled)
                except NotFound:
                    continue
                rows += [
                    (stream.name, service, each.number, each.state.value, each.reason, _time(each.at))
                    for each in letters
                ]
        return rows

    async def show(self, stream: str, service: str, number: int) -> tuple[Sequence[tuple[str, Any]], Any]:
        letter = await DeadLetters(self._kafka, stream, service).show(number)
        told = [(name, getattr(letter, name)) for name in ("reason", "detail", "attempts", "origin")]
        headers = [(name, value.decode(errors="replace")) for name, value in letter.headers]
        return [("state", letter.state.value), *told, *headers], letter.content()

    async def redrive(self, stream: str, service: str, numbers: Sequence[int] | None) -> int:
        return await DeadLetters(self._kafka, stream, service).redrive(numbers)

    async def drop(self, stream: str, service: str, numbers: Sequence[int] | None) -> int:
        return await DeadLetters(self._kafka, stream, service).drop(numbers)


class ThroughGovernance:
    """For holders of `governance.operator`, from wherever the services are reached."""

    def __init__(self, stub: DeadLetterServiceStub, reason: str) -> None:
        self._stub = stub
        self._reason = reason

    async def list(self, *, settled: bool) -> Sequence[Row]:
        return [
            (each.stream, each.consumer, each.number, _state(each), each.reason, _time(each.at.ToDatetime()))
            async for each in self._all(pb.ListDeadLettersRequest(settled=settled))
        ]

    async def _all(self, request: pb.ListDeadLettersRequest) -> AsyncIterator[pb.DeadLetter]:
        with rpc.typed_errors():
            async for page in pages(self._stub.ListDeadLetters, request):
                for each in page.letters:
                    yield each

    async def show(self, stream: str, service: str, number: int) -> tuple[Sequence[tuple[str, Any]], Any]:
        with rpc.typed_errors():
            found = await self._stub.GetDeadLetter(
                pb.GetDeadLetterRequest(stream=stream, consumer=service, number=number)
            )
        letter = found.letter
        told = [("reason", letter.reason), ("detail", found.detail), ("attempts", letter.attempts)]
        event = json.loads(found.event_json) if found.event_json else None
        return [("state", _state(letter)), *told, ("origin", letter.origin), *sorted(found.headers.items())], event

    async def redrive(self, stream: str, service: str, numbers: Sequence[int] | None) -> int:
        done = 0
        for part in await self._parts(stream, service, numbers):
            request = pb.RedriveDeadLettersRequest(
                request_id=new_id(), stream=stream, consumer=service, numbers=part, reason=self._reason
            )
            with rpc.typed_errors():
                done += (await self._stub.RedriveDeadLetters(request)).redriven
        return done

    async def drop(self, stream: str, service: str, numbers: Sequence[int] | None) -> int:
        done = 0
        for part in await self._parts(stream, service, numbers):
            request = pb.DropDeadLettersRequest(
                request_id=new_id(), stream=stream, consumer=service, numbers=part, reason=self._reason
            )
            with rpc.typed_errors():
                done += (await self._stub.DropDeadLetters(request)).dropped
        return done

    async def _parts(self, stream: str, service: str, numbers: Sequence[int] | None) -> Sequence[Sequence[int]]:
        if numbers is None:
            request = pb.ListDeadLettersRequest(stream=stream, consumer=service)
            numbers = [each.number async for each in self._all(request)]
        return [numbers[start : start + _AT_ONCE] for start in range(0, len(numbers), _AT_ONCE)]


@asynccontextmanager
async def through_governance(reason: str) -> AsyncIterator[Letters]:
    """As the holder of ROSSIO_TOKEN; `reason` stands in the record."""
    async with connect(None) as client:
        yield ThroughGovernance(client.dead_letters, reason)


def _state(letter: pb.DeadLetter) -> str:
    return pb.DeadLetterState.Name(letter.state).removeprefix("DEAD_LETTER_STATE_").lower()


def _time(at: Any) -> str:
    text: str = at.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
    return text
