# ruff: noqa: ARG002, N802 - the contract names the methods and their parameters
"""rossio.governance.v1.GovernanceService."""

from collections.abc import AsyncIterator
from typing import Any

import rpc
from rossio.governance.v1 import service_pb2 as pb
from rossio.governance.v1 import service_pb2_grpc

from governance.adapters import wire
from governance.application.list_chains import list_chains
from governance.application.list_records import list_records
from governance.application.ports import Chains
from governance.domain.auditor import Auditor

SERVICE = "rossio.governance.v1.GovernanceService"
_RECORDS_A_RESPONSE = 500


class GovernanceApi(service_pb2_grpc.GovernanceServiceServicer):
    def __init__(self, chains: Chains) -> None:
        self._chains = chains

    async def ListAuditRecords(
        self, request: pb.ListAuditRecordsRequest, context: Any
    ) -> AsyncIterator[pb.ListAuditRecordsResponse]:
        response = pb.ListAuditRecordsResponse()
        async for link in list_records(self._chains, _auditor(), request.entity_id, request.after_sequence):
            response.records.append(wire.to_record(link))
            if len(response.records) == _RECORDS_A_RESPONSE:
                yield response
                response = pb.ListAuditRecordsResponse()
        if response.records:
            yield response

    async def ListChains(self, request: pb.ListChainsRequest, context: Any) -> pb.ListChainsResponse:
        after, *_ = rpc.read_page_token(request) or (None,)
        heads, rest = await list_chains(
            self._chains, _auditor(), None if after is None else str(after), rpc.page_size(request)
        )
        return pb.ListChainsResponse(
            chains=[pb.Chain(entity_id=entity_id, length=head.length, hash=head.hash) for entity_id, head in heads],
            next_page_token="" if rest is None else rpc.page_token(request, rest),
        )


def _auditor() -> Auditor:
    caller = rpc.caller()
    return Auditor(caller.entity_id, of_ministry=caller.may_act_for(""))
