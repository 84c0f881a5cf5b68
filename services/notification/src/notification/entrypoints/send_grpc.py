# ruff: noqa: ARG002, N802 - the contract names the methods and their parameters
"""rossio.notification.v1.SendService: each method is wire, use case, wire."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import rpc
from rossio.notification.v1 import service_pb2 as pb
from rossio.notification.v1.service_pb2_grpc import SendServiceServicer
from service import now

from notification.adapters import send_wire, wire
from notification.adapters.outbound import must_be_outside
from notification.application.approve_template import ApproveTemplate
from notification.application.lift_suppression import LiftSuppression
from notification.application.list_provider_steps import ListProviderSteps
from notification.application.list_templates import ListTemplates
from notification.application.ports import Policies
from notification.application.preview_template import PreviewTemplate
from notification.application.put_template import PutTemplate
from notification.application.register_device import RegisterDevice
from notification.application.send import Send
from notification.application.set_policy import SetPolicy
from notification.application.watch_statuses import WatchStatuses


@dataclass(frozen=True, slots=True)
class SendUseCases:
    """What senders can do."""

    send: Send
    watch_statuses: WatchStatuses
    register_device: RegisterDevice
    put_template: PutTemplate
    approve_template: ApproveTemplate
    list_templates: ListTemplates
    preview_template: PreviewTemplate
    lift_suppression: LiftSuppression
    set_policy: SetPolicy
    policies: Policies
    list_provider_steps: ListProviderSteps


class SendServicer(SendServiceServicer):
    def __init__(self, use_cases: SendUseCases, *, private: bool) -> None:
        """`private` lets callbacks be in private networks."""
        self._do = use_cases
        self._private = private

    async def Send(self, request: pb.SendRequest, context: Any) -> pb.SendResponse:
        order = send_wire.order(request)
        taken = await self._do.send(rpc.caller(), order, request_key=rpc.derived_id(), at=now())
        return pb.SendResponse(
            notification_id=taken.notification_id, decisions=map(wire.decision_message, taken.dispatches)
        )

    async def WatchStatuses(
        self, request: pb.WatchStatusesRequest, context: Any
    ) -> AsyncIterator[pb.WatchStatusesResponse]:
        async with aclosing(self._do.watch_statuses(rpc.caller(), request.after)) as changes:
            async for change in changes:
                yield send_wire.status_message(change)

    async def SetCallback(self, request: pb.SetCallbackRequest, context: Any) -> pb.SetCallbackResponse:
        must_be_outside(request.url, private=self._private)
        hook = await self._do.register_device.callback(rpc.caller(), request.url, device_id=rpc.derived_id(), at=now())
        return pb.SetCallbackResponse(secret=hook.secret)

    async def PutTemplate(self, request: pb.PutTemplateRequest, context: Any) -> pb.PutTemplateResponse:
        caller = rpc.caller()
        draft = send_wire.draft(request, caller, now())
        kept = await self._do.put_template(caller, draft, request_key=rpc.derived_id())
        return pb.PutTemplateResponse(template=send_wire.template_message(kept))

    async def ApproveTemplate(self, request: pb.ApproveTemplateRequest, context: Any) -> pb.ApproveTemplateResponse:
        approved = await self._do.approve_template(rpc.caller(), request.name, request.version, now())
        return pb.ApproveTemplateResponse(template=send_wire.template_message(approved))

    async def ListTemplates(self, request: pb.ListTemplatesRequest, context: Any) -> pb.ListTemplatesResponse:
        token = rpc.read_page_token(request)
        after = (str(token[0]), int(token[1])) if token else None
        limit = rpc.page_size(request, default=50, most=200)
        found, following = await self._do.list_templates(rpc.caller(), after, limit)
        return pb.ListTemplatesResponse(
            templates=map(send_wire.template_message, found),
            next_page_token=rpc.page_token(request, *following) if following else "",
        )

    async def PreviewTemplate(self, request: pb.PreviewTemplateRequest, context: Any) -> pb.PreviewTemplateResponse:
        said, report = await self._do.preview_template(
            rpc.caller(), request.name, request.version, request.personalisation, request.locale
        )
        return send_wire.preview_message(said, report)

    async def SetPolicy(self, request: pb.SetPolicyRequest, context: Any) -> pb.SetPolicyResponse:
        wanted = request.policy
        await self._do.set_policy(
            rpc.caller(), wire.topic(wanted.topic), wire.channel(wanted.channel), wire.rule(wanted.rule), now()
        )
        return pb.SetPolicyResponse()

    async def GetPolicies(self, request: pb.GetPoliciesRequest, context: Any) -> pb.GetPoliciesResponse:
        held = await self._do.policies.all_of(rpc.caller().entity_id)
        return pb.GetPoliciesResponse(policies=[wire.policy_message(*about, rule) for about, rule in held.items()])

    async def GetProviderSteps(self, request: pb.GetProviderStepsRequest, context: Any) -> pb.GetProviderStepsResponse:
        shares, steps = await self._do.list_provider_steps(request.limit)
        return pb.GetProviderStepsResponse(
            shares=shares, steps=[send_wire.step_message(each, replays=replays) for each, replays in steps]
        )

    async def LiftSuppression(self, request: pb.LiftSuppressionRequest, context: Any) -> pb.LiftSuppressionResponse:
        channel = wire.channel(request.channel)
        lifted = await self._do.lift_suppression(rpc.caller(), channel, request.address, now())
        return pb.LiftSuppressionResponse(lifted=lifted)
