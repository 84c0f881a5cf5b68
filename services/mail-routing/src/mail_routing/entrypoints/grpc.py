# ruff: noqa: ARG002, N802 - the contract names the methods and their parameters
"""rossio.mail.v1.MailService: requests to use cases, and what they return to responses."""

from collections.abc import AsyncIterator
from typing import Any

import rpc
from rossio.mail.v1 import service_pb2 as pb

from mail_routing.adapters import wire, wire_rules
from mail_routing.application.resolve import Question as Wanted
from mail_routing.application.resolve import Resolve
from mail_routing.application.submit import Submission, Submit
from mail_routing.application.trace import Question, Trace
from mail_routing.entrypoints.grpc_access import AccessApi, AccessCases
from mail_routing.entrypoints.grpc_rules import RuleCases, RulesApi

SERVICE = "rossio.mail.v1.MailService"


class MailApi(AccessApi, RulesApi):
    """The servicer: mail itself; who may send it, and by which rules it goes, are beside it."""

    def __init__(self, resolve: Resolve, submit: Submit, trace: Trace, access: AccessCases, rules: RuleCases) -> None:
        AccessApi.__init__(self, access)
        RulesApi.__init__(self, rules)
        self._resolve = resolve
        self._submit = submit
        self._trace = trace
        self._now = rules.now

    async def Submit(self, request: pb.SubmitRequest, context: Any) -> pb.SubmitResponse:
        message_id = rpc.derived_id("mail")
        message_class = wire.message_class(getattr(request, "class"))
        recipients = tuple(request.recipients)
        submission = Submission(message_id, request.sender, recipients, request.content, message_class)
        await self._submit(rpc.caller(), submission)
        return pb.SubmitResponse(message_id=message_id)

    async def Resolve(self, request: pb.ResolveRequest, context: Any) -> pb.ResolveResponse:
        draft = wire_rules.rule(request.draft) if request.HasField("draft") else None
        wanted = Wanted(request.sender, request.recipient, request.content, draft, request.outside)
        explanation = self._resolve(rpc.caller(), wanted, now=self._now())
        return pb.ResolveResponse(
            steps=map(wire.step, explanation.steps),
            destinations=map(wire.destination, explanation.destinations),
            destination_count=explanation.count,
        )

    async def Trace(self, request: pb.TraceRequest, context: Any) -> AsyncIterator[pb.TraceResponse]:
        question = Question(
            request.message_id, request.internet_message_id, request.sender, request.recipient, request.limit
        )
        async for shard in self._trace(rpc.caller(), question):
            yield wire.traced(shard)
