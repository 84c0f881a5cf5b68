# ruff: noqa: ARG002, N802 - the contract names the methods and their parameters
"""rossio.mail.v1.MailService: requests to use cases, and what they return to responses."""

from collections.abc import AsyncIterator
from typing import Any

import rpc
from rossio.mail.v1 import service_pb2 as pb

from mail_routing.adapters import wire
from mail_routing.application.resolve import resolve
from mail_routing.application.submit import Submission, Submit
from mail_routing.application.trace import Question, Trace
from mail_routing.domain.route import Route
from mail_routing.entrypoints.grpc_access import AccessApi, AccessCases

SERVICE = "rossio.mail.v1.MailService"


class MailApi(AccessApi):
    """The servicer: mail itself; who may send it is beside it."""

    def __init__(self, the_route: Route, submit: Submit, trace: Trace, access: AccessCases) -> None:
        super().__init__(access)
        self._route = the_route
        self._submit = submit
        self._trace = trace

    async def Submit(self, request: pb.SubmitRequest, context: Any) -> pb.SubmitResponse:
        message_id = rpc.derived_id("mail")
        message_class = wire.message_class(getattr(request, "class"))
        recipients = tuple(request.recipients)
        submission = Submission(message_id, request.sender, recipients, request.content, message_class)
        await self._submit(rpc.caller(), submission)
        return pb.SubmitResponse(message_id=message_id)

    async def Resolve(self, request: pb.ResolveRequest, context: Any) -> pb.ResolveResponse:
        explanation = resolve(self._route, request.sender, request.recipient)
        return pb.ResolveResponse(
            steps=map(wire.step, explanation.steps),
            destinations=map(wire.destination, explanation.destinations),
            destination_count=explanation.count,
        )

    async def Trace(self, request: pb.TraceRequest, context: Any) -> AsyncIterator[pb.TraceResponse]:
        question = Question(request.message_id, request.sender, request.recipient, request.limit)
        async for shard in self._trace(rpc.caller(), question):
            yield wire.traced(shard)
