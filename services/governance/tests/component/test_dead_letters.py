"""Dead letters over gRPC: an operator's looks and acts, each once and on record."""

import json
from collections.abc import Sequence
from typing import Any

import grpc
import pytest
import rpc
from devstack.issuer import Issuer
from rossio.governance.v1 import dead_letters_pb2 as pb
from rossio.governance.v1.dead_letters_pb2_grpc import DeadLetterServiceStub
from testkit.polling import until

OF: dict[str, Any] = {"stream": "audit.v1", "consumer": "governance"}


@pytest.fixture
async def speak(issuer: Issuer):
    """`speak(program, role)`: a stub of somebody who holds the role."""
    channels = []

    def open_(program: Any, role: str = "governance.operator") -> DeadLetterServiceStub:
        token = issuer.token("p-operator", entity="e07", roles=[role])
        channels.append(rpc.channel(program.grpc, token=lambda: token))
        return DeadLetterServiceStub(channels[-1])

    yield open_
    for channel in channels:
        await channel.close()


async def numbers(stub: DeadLetterServiceStub, **asked: Any) -> list[int]:
    """Of all letters, in pages of one."""
    found, token = [], ""
    while True:
        page = await stub.ListDeadLetters(pb.ListDeadLettersRequest(**OF, page_size=1, page_token=token, **asked))
        found += [letter.number for letter in page.letters]
        token = page.next_page_token
        if not token:
            return found


@pytest.fixture
async def poisoned(start_service: Any, publish: Any, audit: Any, speak: Any, entities: Sequence[str]):
    """A governance, and the numbers of two letters in it: records that do not say who did it."""
    governance = start_service("governance")
    operator = speak(governance)
    had = set(await numbers(operator, settled=True))
    await publish([audit(entities[0], actor=""), audit(entities[1], actor="")])
    new: set[int] = set()

    async def both() -> bool:
        new.update(set(await numbers(operator)) - had)
        return len(new) == 2

    await until(both)
    return governance, *sorted(new)


async def test_an_operator_lists_looks_redrives_and_drops(poisoned: Any, speak: Any, auditor: Any):
    governance, first, second = poisoned
    operator = speak(governance)
    had = set(await numbers(operator, settled=True))
    shown = await operator.GetDeadLetter(pb.GetDeadLetterRequest(**OF, number=first))
    assert (shown.letter.reason, shown.letter.state) == ("AUDIT_INCOMPLETE", pb.DEAD_LETTER_STATE_WAITING)
    assert "actor" in shown.detail
    assert json.loads(shown.event_json)["action"] == "document.node.share"
    redrive = pb.RedriveDeadLettersRequest(**OF, request_id="r-1", numbers=[first], reason="it was mended")
    assert [(await operator.RedriveDeadLetters(redrive)).redriven for _ in range(2)] == [1, 1]

    again: set[int] = set()

    async def failed_again() -> bool:
        again.update(set(await numbers(operator)) - had)
        return bool(again)

    await until(failed_again)
    (third,) = again  # once: the repeat of the request redrove nothing
    drop = pb.DropDeadLettersRequest(**OF, request_id="r-2", numbers=[second, third], reason="a test's")
    assert [(await operator.DropDeadLetters(drop)).dropped for _ in range(2)] == [2, 2]
    assert not {first, second, third} & set(await numbers(operator))
    assert {first, second, third} <= set(await numbers(operator, settled=True))

    reader = auditor(governance)
    mine: list[Any] = []

    async def recorded() -> bool:
        mine[:] = [each for each in (await reader.chain(""))[0] if each.actor == "p-operator"]
        return len(mine) >= 3

    await until(recorded)
    told = [(each.action, each.resource, each.details.get("numbers") or each.details["number"]) for each in mine]
    assert told == [
        ("governance.dead_letter.show", "audit.v1/governance", str(first)),
        ("governance.dead_letter.redrive", "audit.v1/governance", str(first)),
        ("governance.dead_letter.drop", "audit.v1/governance", f"{second},{third}"),
    ]


async def test_what_is_not_there_is_not_found_and_nothing_is_done(poisoned: Any, speak: Any):
    governance, *there = poisoned
    operator = speak(governance)
    drop = pb.DropDeadLettersRequest(**OF, request_id="r-3", numbers=[*there, 999_999], reason="too many")
    for call in (
        operator.DropDeadLetters(drop),
        operator.GetDeadLetter(pb.GetDeadLetterRequest(**OF, number=999_999)),
        operator.GetDeadLetter(pb.GetDeadLetterRequest(stream="audit.v1", consumer="news", number=0)),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    assert set(there) <= set(await numbers(operator))


@pytest.mark.parametrize("role", ["governance.auditor", "mail.admin"])
async def test_only_operators_may(start_service: Any, speak: Any, role: str):
    somebody = speak(start_service("governance"), role)
    for call in (
        somebody.ListDeadLetters(pb.ListDeadLettersRequest()),
        somebody.DropDeadLetters(pb.DropDeadLettersRequest(**OF, request_id="r-4", numbers=[0], reason="no")),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
