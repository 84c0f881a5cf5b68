"""`rossio dlq`: dead letters, listed, shown, redriven or dropped.

Where ROSSIO_ENDPOINTS says where governance is, through it: the caller holds `governance.operator`, and what is done is
on record. Else straight to the broker: KAFKA_BOOTSTRAP's, with KAFKA_TLS and KAFKA_SASL_MECHANISM and their like as
services are told, or that of the embedded stack which runs in this folder.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer
from devstack import stack_file
from errors import Transient
from messaging import Kafka, from_environment

from cli.command import console, sync, table, tell
from cli.dead_letters import Letters, OnKafka, through_governance

app = typer.Typer(no_args_is_help=True, help="List, show, redrive or drop dead letters.")
Stream = Annotated[str, typer.Argument(help="For example mail.message.v1.")]
Service = Annotated[str, typer.Argument(help="The service that could not settle them, for example mail-routing.")]
Numbers = Annotated[list[int] | None, typer.Argument(help="Of letters; none: all that are open.")]
Reason = Annotated[str, typer.Option(help="For the record that governance keeps.")]


@app.command("list")
@sync
async def list_(
    settled: Annotated[bool, typer.Option("--settled", help="Also those redriven or dropped.")] = False,
) -> None:
    """Lists the open dead letters of all streams."""
    async with _letters() as letters:
        rows = await letters.list(settled=settled)
    table(("stream", "service", "number", "state", "reason", "since"), list(rows))


@app.command()
@sync
async def show(stream: Stream, service: Service, number: int) -> None:
    """Shows one letter with its headers and its event; it may hold personal data."""
    async with _letters() as letters:
        told, event = await letters.show(stream, service, number)
    table(("of", "is"), list(told))
    tell(json.dumps(event, indent=2, ensure_ascii=False))


@app.command()
@sync
async def redrive(
    stream: Stream, service: Service, numbers: Numbers = None, reason: Reason = "by rossio dlq redrive"
) -> None:
    """Puts letters back into their stream, for this service alone; each once, even when killed and run again."""
    async with _letters(reason) as letters:
        console.print(f"{await letters.redrive(stream, service, numbers or None)} redriven")


@app.command()
@sync
async def drop(
    stream: Stream, service: Service, numbers: Numbers = None, reason: Reason = "by rossio dlq drop"
) -> None:
    """Gives letters up."""
    async with _letters(reason) as letters:
        console.print(f"{await letters.drop(stream, service, numbers or None)} dropped")


@asynccontextmanager
async def _letters(reason: str = "") -> AsyncIterator[Letters]:
    if os.environ.get("ROSSIO_ENDPOINTS") and not os.environ.get("KAFKA_BOOTSTRAP"):
        async with through_governance(reason) as letters:
            yield letters
    else:
        yield OnKafka(_kafka())


def _kafka() -> Kafka:
    """The broker; producers that are not idempotent work on every one.

    Raises:
        Transient: nobody said where it is.
        Invalid: how to reach it is said in a way that cannot be.
    """
    bootstrap = os.environ.get("KAFKA_BOOTSTRAP") or stack_file.read().kafka
    if not bootstrap:
        raise Transient("no broker is known: set KAFKA_BOOTSTRAP, or ROSSIO_ENDPOINTS to go through governance")
    return from_environment(bootstrap, client_id="rossio-cli", idempotence=False)
