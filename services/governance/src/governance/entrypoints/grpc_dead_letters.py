# ruff: noqa: ARG002, N802 - the contract names the methods and their parameters
"""rossio.governance.v1.DeadLetterService."""

from typing import Any

import messaging
import rpc
from errors import Invalid
from rossio.governance.v1 import dead_letters_pb2 as pb
from rossio.governance.v1 import dead_letters_pb2_grpc

from governance.adapters import wire
from governance.application.get_dead_letter import get_dead_letter
from governance.application.list_dead_letters import Place, list_dead_letters
from governance.application.ports import Audit, DeadLetters
from governance.application.settle_dead_letters import settle_dead_letters
from governance.domain.dead_letter import Queue, State

SERVICE = "rossio.governance.v1.DeadLetterService"


class DeadLetterApi(dead_letters_pb2_grpc.DeadLetterServiceServicer):
    def __init__(self, letters: DeadLetters, audit: Audit) -> None:
        self._letters = letters
        self._audit = audit

    async def ListDeadLetters(self, request: pb.ListDeadLettersRequest, context: Any) -> pb.ListDeadLettersResponse:
        found, after = await list_dead_letters(
            self._letters, request.stream, request.consumer,
            settled=request.settled, after=_place(request), limit=rpc.page_size(request),
        )  # fmt: skip
        token = rpc.page_token(request, *after) if after else ""
        return pb.ListDeadLettersResponse(letters=map(wire.to_dead_letter, found), next_page_token=token)

    async def GetDeadLetter(self, request: pb.GetDeadLetterRequest, context: Any) -> pb.GetDeadLetterResponse:
        queue = Queue(request.stream, request.consumer)
        found = await get_dead_letter(
            self._letters, self._audit, rpc.caller(), messaging.new_id(), queue, request.number
        )
        return pb.GetDeadLetterResponse(
            letter=wire.to_dead_letter(found), detail=found.detail, headers=found.headers, event_json=found.event_json
        )

    async def RedriveDeadLetters(
        self, request: pb.RedriveDeadLettersRequest, context: Any
    ) -> pb.RedriveDeadLettersResponse:
        return pb.RedriveDeadLettersResponse(redriven=await self._settle(request, State.REDRIVEN))

    async def DropDeadLetters(self, request: pb.DropDeadLettersRequest, context: Any) -> pb.DropDeadLettersResponse:
        return pb.DropDeadLettersResponse(dropped=await self._settle(request, State.DROPPED))

    async def _settle(self, request: pb.RedriveDeadLettersRequest | pb.DropDeadLettersRequest, wanted: State) -> int:
        return await settle_dead_letters(
            self._letters, self._audit, rpc.caller(), rpc.derived_id("audit"), Queue(request.stream, request.consumer),
            request.numbers, wanted, request.reason,
        )  # fmt: skip


def _place(request: pb.ListDeadLettersRequest) -> Place | None:
    match rpc.read_page_token(request):
        case ():
            return None
        case (str(stream), str(consumer), int(number)):
            return stream, consumer, number
    raise Invalid("page_token is not one that this method gave", reason="PAGE_TOKEN")
