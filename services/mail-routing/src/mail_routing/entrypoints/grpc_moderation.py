# ruff: noqa: ARG002, N802 - the contract names the methods and their parameters
"""rossio.mail.v1.ModerationService: requests to use cases, and what they return to responses."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import rpc
from rossio.mail.v1 import moderation_pb2 as pb
from rossio.mail.v1 import moderation_pb2_grpc

from mail_routing.adapters import wire_moderation
from mail_routing.application.decide_moderated import DecideModerated, GetModerated, ListModerated, Said
from mail_routing.domain.moderation import Decision

SERVICE = "rossio.mail.v1.ModerationService"


class ModerationApi(moderation_pb2_grpc.ModerationServiceServicer):
    """The servicer."""

    def __init__(
        self, list_: ListModerated, read: GetModerated, decide: DecideModerated, *, now: Callable[[], datetime]
    ) -> None:
        self._list = list_
        self._read = read
        self._decide = decide
        self._now = now

    async def ListModerated(self, request: pb.ListModeratedRequest, context: Any) -> pb.ListModeratedResponse:
        after = str(next(iter(rpc.read_page_token(request)), ""))
        found, goes_on = await self._list(rpc.caller(), after, rpc.page_size(request))
        token = rpc.page_token(request, goes_on) if goes_on else ""
        return pb.ListModeratedResponse(mails=map(wire_moderation.moderated, found), next_page_token=token)

    async def GetModerated(self, request: pb.GetModeratedRequest, context: Any) -> pb.GetModeratedResponse:
        found, content = await self._read(rpc.caller(), request.moderation_id)
        return pb.GetModeratedResponse(mail=wire_moderation.moderated(found), content=content)

    async def ApproveModerated(self, request: pb.ApproveModeratedRequest, context: Any) -> pb.ApproveModeratedResponse:
        said = Said(request.moderation_id, Decision.APPROVE, request.reason)
        await self._decide(rpc.caller(), said, at=self._now())
        return pb.ApproveModeratedResponse()

    async def RejectModerated(self, request: pb.RejectModeratedRequest, context: Any) -> pb.RejectModeratedResponse:
        said = Said(request.moderation_id, Decision.REJECT, request.reason)
        await self._decide(rpc.caller(), said, at=self._now())
        return pb.RejectModeratedResponse()
