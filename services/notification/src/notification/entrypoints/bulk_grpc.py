# ruff: noqa: ARG002, N802 - the contract names the methods and their parameters
"""rossio.notification.v1.BulkService: each method is wire, use case, wire."""

from dataclasses import dataclass
from typing import Any

import rpc
from rossio.notification.v1 import bulk_pb2 as pb
from rossio.notification.v1.service_pb2_grpc import BulkServiceServicer
from service import now

from notification.adapters import bulk_wire
from notification.application.control_bulk import ControlBulk
from notification.application.start_bulk import StartBulk
from notification.domain.bulk import ERRORS_TOLD


@dataclass(frozen=True, slots=True)
class BulkUseCases:
    """What those who send many messages at once can do."""

    start: StartBulk
    control: ControlBulk


class BulkServicer(BulkServiceServicer):
    def __init__(self, use_cases: BulkUseCases) -> None:
        self._do = use_cases

    async def StartBulk(self, request: pb.StartBulkRequest, context: Any) -> pb.StartBulkResponse:
        order = bulk_wire.order(request)
        job, errors, rows = await self._do.start(rpc.caller(), order, request_key=rpc.derived_id(), at=now())
        return pb.StartBulkResponse(
            job=bulk_wire.job_message(job) if job else None,
            errors=map(bulk_wire.error_message, errors[:ERRORS_TOLD]),
            error_count=len(errors),
            rows=rows,
        )

    async def GetBulk(self, request: pb.GetBulkRequest, context: Any) -> pb.GetBulkResponse:
        return pb.GetBulkResponse(job=bulk_wire.job_message(await self._do.control.get(rpc.caller(), request.job_id)))

    async def ListBulks(self, request: pb.ListBulksRequest, context: Any) -> pb.ListBulksResponse:
        before = str(next(iter(rpc.read_page_token(request)), ""))
        limit = rpc.page_size(request, default=50, most=200)
        found = await self._do.control.page(rpc.caller(), before, limit + 1)
        more = len(found) > limit
        return pb.ListBulksResponse(
            jobs=map(bulk_wire.job_message, found[:limit]),
            next_page_token=rpc.page_token(request, found[limit - 1].job_id) if more else "",
        )

    async def PauseBulk(self, request: pb.PauseBulkRequest, context: Any) -> pb.PauseBulkResponse:
        job = await self._do.control.pause(rpc.caller(), request.job_id, now())
        return pb.PauseBulkResponse(job=bulk_wire.job_message(job))

    async def ResumeBulk(self, request: pb.ResumeBulkRequest, context: Any) -> pb.ResumeBulkResponse:
        job = await self._do.control.resume(rpc.caller(), request.job_id, now())
        return pb.ResumeBulkResponse(job=bulk_wire.job_message(job))

    async def RetryBulk(self, request: pb.RetryBulkRequest, context: Any) -> pb.RetryBulkResponse:
        job = await self._do.control.retry(rpc.caller(), request.job_id, now())
        return pb.RetryBulkResponse(job=bulk_wire.job_message(job))
