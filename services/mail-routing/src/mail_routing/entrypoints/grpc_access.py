# ruff: noqa: ARG002, N802 - the contract names the methods and their parameters
"""The part of rossio.mail.v1.MailService that says who may hand mail in, and in whose name."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import rpc
from rossio.mail.v1 import access_pb2 as pb
from rossio.mail.v1 import service_pb2_grpc

from mail_routing.adapters import wire
from mail_routing.application.create_app_password import CreateAppPassword
from mail_routing.application.delegate import Delegate
from mail_routing.application.list_app_passwords import ListAppPasswords
from mail_routing.application.revoke_app_password import RevokeAppPassword


@dataclass(frozen=True, slots=True)
class AccessCases:
    """What there is to do with app passwords and delegations."""

    create: CreateAppPassword
    list: ListAppPasswords
    revoke: RevokeAppPassword
    delegate: Delegate
    now: Callable[[], datetime]


class AccessApi(service_pb2_grpc.MailServiceServicer):
    def __init__(self, access: AccessCases) -> None:
        self._access = access

    async def CreateAppPassword(
        self, request: pb.CreateAppPasswordRequest, context: Any
    ) -> pb.CreateAppPasswordResponse:
        expires_at = request.expires_at.ToDatetime(UTC) if request.HasField("expires_at") else None
        made, password = await self._access.create(
            rpc.caller(),
            request.name,
            password_id=rpc.derived_id("app-password")[:16],
            expires_at=expires_at,
            at=self._access.now(),
        )
        return pb.CreateAppPasswordResponse(app_password=wire.app_password(made), password=password)

    async def ListAppPasswords(self, request: pb.ListAppPasswordsRequest, context: Any) -> pb.ListAppPasswordsResponse:
        after = str(next(iter(rpc.read_page_token(request)), ""))
        found, goes_on = await self._access.list(rpc.caller(), after, rpc.page_size(request))
        token = rpc.page_token(request, goes_on) if goes_on else ""
        return pb.ListAppPasswordsResponse(app_passwords=map(wire.app_password, found), next_page_token=token)

    async def RevokeAppPassword(
        self, request: pb.RevokeAppPasswordRequest, context: Any
    ) -> pb.RevokeAppPasswordResponse:
        await self._access.revoke(rpc.caller(), request.password_id, at=self._access.now())
        return pb.RevokeAppPasswordResponse()

    async def GrantDelegation(self, request: pb.GrantDelegationRequest, context: Any) -> pb.GrantDelegationResponse:
        right = wire.right(request.right)
        made = await self._access.delegate.grant(rpc.caller(), request.owner, right, request.to, at=self._access.now())
        return pb.GrantDelegationResponse(delegation=wire.delegation(made))

    async def RevokeDelegation(self, request: pb.RevokeDelegationRequest, context: Any) -> pb.RevokeDelegationResponse:
        await self._access.delegate.revoke(rpc.caller(), request.owner, request.to, at=self._access.now())
        return pb.RevokeDelegationResponse()

    async def GetDelegations(self, request: pb.GetDelegationsRequest, context: Any) -> pb.GetDelegationsResponse:
        found = await self._access.delegate.list(rpc.caller(), request.owner)
        return pb.GetDelegationsResponse(delegations=map(wire.delegation, found))
