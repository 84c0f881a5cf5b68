"""`rossio dlq`: dead letters, listed, shown, redriven or dropped.

The broker is KAFKA_BOOTSTRAP's, else that of the embedded stack which runs in this folder.
"""

import json
import os
from typing import Annotated

import typer
from devstack import stack_file
from errors import NotFound, Transient
from messaging import DeadLetters, Kafka, catalogue

from cli.command import console, sync, table

app = typer.Typer(no_args_is_help=True, help="List, show, redrive or drop dead letters.")
Stream = Annotated[str, typer.Argument(help="For example mail.message.v1.")]
Service = Annotated[str, typer.Argument(help="The service that could not settle them, for example mail-routing.")]
Numbers = Annotated[list[int] | None, typer.Argument(help="Of letters; none: all that are open.")]


@app.command("list")
@sync
async def list_(
    settled: Annotated[bool, typer.Option("--settled", help="Also those redriven or dropped.")] = False,
) -> None:
    """Lists the open dead letters of all streams."""
    kafka = _kafka()
    rows = []
    for stream in catalogue().streams.values():
        for service in stream.consumers:
            try:
                letters = await DeadLetters(kafka, stream, service).list(settled=settled)
            except NotFound:
                continue
            rows += [
                (
                    stream.name,
                    service,
                    each.number,
                    each.state.value,
                    each.reason,
                    each.at.isoformat(timespec="seconds"),
                )
                for each in letters
            ]
    table(("stream", "service", "number", "state", "reason", "since"), rows)


@app.command()
@sync
async def show(stream: Stream, service: Service, number: int) -> None:
    """Shows one letter with its headers and its event; it may hold personal data."""
    letter = await DeadLetters(_kafka(), stream, service).show(number)
    table(
        ("of", "is"),
        [
            ("state", letter.state.value),
            ("reason", letter.reason),
            ("detail", letter.detail),
            ("attempts", letter.attempts),
            ("origin", letter.origin),
            *((name, value.decode(errors="replace")) for name, value in letter.headers),
        ],
    )
    console.print(json.dumps(letter.content(), indent=2, ensure_ascii=False), markup=False)


@app.command()
@sync
async def redrive(stream: Stream, service: Service, numbers: Numbers = None) -> None:
    """Puts letters back into their stream, for this service alone; each once, even when killed and run again."""
    console.print(f"{await DeadLetters(_kafka(), stream, service).redrive(numbers or None)} redriven")


@app.command()
@sync
async def drop(stream: Stream, service: Service, numbers: Numbers = None) -> None:
    """Gives letters up."""
    console.print(f"{await DeadLetters(_kafka(), stream, service).drop(numbers or None)} dropped")


def _kafka() -> Kafka:
    """The broker; producers that are not idempotent work on every one.

    Raises:
        Transient: nobody said where it is.
    """
    bootstrap = os.environ.get("KAFKA_BOOTSTRAP") or stack_file.read().kafka
    if not bootstrap:
        raise Transient("no broker is known: set KAFKA_BOOTSTRAP")
    return Kafka(bootstrap, client_id="rossio-cli", idempotence=False)
