"""`rossio notify bulk`: many messages by one template, from a table or to an audience."""

import asyncio
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from errors import Invalid
from rossio.notification.v1 import bulk_pb2

from cli.client import connect
from cli.command import As, console, note, sync, table
from cli.sending import Values, values

app = typer.Typer(no_args_is_help=True)
_COLUMNS = ("job", "state", "taken", "waiting", "sent", "delivered", "failed", "suppressed", "of", "round")


@app.command()
@sync
async def start(
    template: str,
    file: Annotated[Path | None, typer.Option(help="CSV with a heading.", exists=True, dir_okay=False)] = None,
    audience: Annotated[str, typer.Option(help='For example: entity = "e01"')] = "",
    value: Values = None,
    check: Annotated[bool, typer.Option(help="Only say what is wrong.")] = False,
    follow: Annotated[bool, typer.Option(help="Show how far it is until all are taken in.")] = False,
    caller: As = None,
) -> None:
    """Checks all of it, and takes it on if nothing is wrong."""
    request = bulk_pb2.StartBulkRequest(
        request_id=str(uuid4()),
        template=template,
        table=file.read_bytes() if file else b"",
        audience=audience,
        personalisation=values(value),
        check_only=check,
    )
    async with connect(caller) as client:
        answer = await client.bulk.StartBulk(request)
        if answer.error_count:
            table(("row", "column", "reason"), ((each.row, each.column, each.reason) for each in answer.errors))
            raise Invalid(f"{answer.error_count} mistakes in {answer.rows} rows: nothing was sent")
        note(f"{answer.rows} messages")
        if answer.HasField("job"):
            print(answer.job.job_id)
        while follow and answer.job.state == bulk_pb2.BULK_STATE_RUNNING:
            await asyncio.sleep(1)
            look = bulk_pb2.GetBulkRequest(job_id=answer.job.job_id)
            answer.job.CopyFrom((await client.bulk.GetBulk(look)).job)
            console.print(f"{answer.job.taken} of {answer.job.total} taken in, {answer.job.failed} failed")


@app.command()
@sync
async def show(job: str, caller: As = None) -> None:
    """Says how far a job is."""
    async with connect(caller) as client:
        _show((await client.bulk.GetBulk(bulk_pb2.GetBulkRequest(job_id=job))).job)


@app.command("list")
@sync
async def list_jobs(caller: As = None) -> None:
    """Lists the caller's last jobs."""
    async with connect(caller) as client:
        _show(*(await client.bulk.ListBulks(bulk_pb2.ListBulksRequest())).jobs)


@app.command()
@sync
async def pause(job: str, caller: As = None) -> None:
    """Stops taking in; what is taken in goes out."""
    async with connect(caller) as client:
        _show((await client.bulk.PauseBulk(bulk_pb2.PauseBulkRequest(request_id=str(uuid4()), job_id=job))).job)


@app.command()
@sync
async def resume(job: str, caller: As = None) -> None:
    """Goes on with a job that was paused."""
    async with connect(caller) as client:
        _show((await client.bulk.ResumeBulk(bulk_pb2.ResumeBulkRequest(request_id=str(uuid4()), job_id=job))).job)


@app.command()
@sync
async def retry(job: str, caller: As = None) -> None:
    """Sends the messages of a job that failed once more, and only those."""
    async with connect(caller) as client:
        _show((await client.bulk.RetryBulk(bulk_pb2.RetryBulkRequest(request_id=str(uuid4()), job_id=job))).job)


def _show(*jobs: bulk_pb2.BulkJob) -> None:
    rows = (
        (
            job.job_id,
            bulk_pb2.BulkState.Name(job.state).removeprefix("BULK_STATE_").lower(),
            *(getattr(job, column) for column in ("taken", "waiting", "sent", "delivered", "failed", "suppressed")),
            job.total,
            job.round,
        )
        for job in jobs
    )
    table(_COLUMNS, rows)
