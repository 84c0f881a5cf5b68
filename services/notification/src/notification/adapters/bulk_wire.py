"""Protobuf messages of BulkService from and to the domain."""

from typing import Final

from rossio.notification.v1 import bulk_pb2 as pb

from notification.adapters import wire
from notification.application.start_bulk import BulkOrder
from notification.domain.bulk import CHUNK, Fate, Job, JobState, RowError

_STATES: Final = {each: pb.BulkState.Value(f"BULK_STATE_{each.name}") for each in JobState}


def order(request: pb.StartBulkRequest) -> BulkOrder:
    """Raises Invalid where an enum has a value of a later release."""
    return BulkOrder(
        template=request.template,
        version=request.template_version,
        channels=tuple(wire.channel(each) for each in request.channels),
        table=request.table,
        audience=request.audience,
        values=dict(request.personalisation),
        check_only=request.check_only,
    )


def job_message(job: Job) -> pb.BulkJob:
    message = pb.BulkJob(
        job_id=job.job_id,
        template=job.template,
        template_version=job.version,
        state=_STATES[job.state],
        total=job.total,
        taken=min(job.total, job.chunk * CHUNK),
        waiting=job.fates.get(Fate.WAITING, 0),
        sent=job.fates.get(Fate.SENT, 0),
        delivered=job.fates.get(Fate.DELIVERED, 0),
        failed=job.fates.get(Fate.FAILED, 0),
        suppressed=job.fates.get(Fate.SUPPRESSED, 0),
        round=job.round,
    )
    message.at.FromDatetime(job.at)
    return message


def error_message(error: RowError) -> pb.RowError:
    return pb.RowError(row=error.number, column=error.column, reason=error.reason)
