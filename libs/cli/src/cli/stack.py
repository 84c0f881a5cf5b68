"""`rossio up`, `rossio demo`, `rossio token`: the whole suite on this machine."""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import telemetry
import typer
from devstack.stack_file import Stack
from devstack.suite import Suite, spans_file
from errors import NotFound
from rich.markup import escape
from telemetry import capture
from testkit import sms_provider
from testkit.ministry import Ministry, write_csv

from cli.client import token_for
from cli.command import console, sync
from cli.demo.stage import Cast, Stage
from cli.demo.story import perform

FOLDER = Path(".rossio")
SEED = 1
People = Annotated[int, typer.Option("--people", help="Size of the synthetic ministry; the real one has 126683.")]


@sync
async def up(people: People = 1200) -> None:
    """Starts the suite, carries one of everything through it, and stays up until Ctrl-C."""
    own = asyncio.current_task()
    assert own is not None
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, own.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        async with _suite() as suite:
            await suite.watch_over(_story(suite, people))
            await _invite(suite.stack)
            await suite.watch_over(asyncio.Event().wait())


@sync
async def demo(people: People = 1200) -> None:
    """Starts the suite, checks every step of the demo, and stops; exit status 0 when all of them held."""
    async with _suite() as suite:
        held = await suite.watch_over(_story(suite, people))
    raise typer.Exit(0 if held else 1)


@sync
async def token(
    person: Annotated[str, typer.Argument(help="Address or id of a person of the embedded stack.")],
) -> None:
    """Prints a token for somebody of the embedded stack, valid for an hour."""
    print(await token_for(person))


def trace(trace_id: Annotated[str, typer.Argument(help="As the demo prints it, or a log line holds it.")]) -> None:
    """Shows a trace of the stack that runs here or ran last, with those it links to: who did what, when, how long."""
    file = spans_file(FOLDER)
    exported = capture.read(file) if file.exists() else []
    ids = {trace_id}
    while more := {s.trace_id for s in exported if s.trace_id not in ids and any(t in ids for t, _ in s.links)}:
        ids |= more
    spans = sorted((s for s in exported if s.trace_id in ids), key=lambda s: s.start_ns)
    if not spans:
        raise NotFound(f"no span of trace {trace_id} was exported here")
    known = {span.span_id for span in spans}
    for root in (span for span in spans if span.parent_id not in known):
        _branch(root, spans, 0, spans[0].start_ns)


def _branch(span: capture.Exported, spans: list[capture.Exported], depth: int, began: int) -> None:
    after, took = (span.start_ns - began) / 1e6, (span.end_ns - span.start_ns) / 1e6
    linked = " (linked)" if span.links else ""
    console.print(
        f"{after:9.1f} ms {took:8.1f} ms  {'  ' * depth}{span.service}: {span.name}{linked}",
        soft_wrap=True,
    )
    for child in spans:
        if child.parent_id == span.span_id:
            _branch(child, spans, depth + 1, began)


def _suite() -> Suite:
    started = time.monotonic()

    def say(what: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:5.1f} s[/]  {escape(what)}", markup=True)

    return Suite(FOLDER, say=say, beside=[sms_provider.beside(FOLDER)])


async def _story(suite: Suite, people: int) -> bool:
    """Loads the ministry and carries the work through."""
    with TemporaryDirectory() as folder:
        ministry: Ministry = await asyncio.to_thread(write_csv, Path(folder), people, SEED)
        with console.status(f"loading {people:,} people of {len(ministry.entities)} entities …"):
            report = await suite.load(Path(folder))
    loaded = ", ".join(f"{diff.added:,} {diff.table}" for diff in report.diffs)
    console.print(f"the synthetic ministry is loaded: {loaded}")
    endpoint = os.environ.get("OTLP_ENDPOINT")
    if endpoint is None:
        os.environ["ROSSIO_SPAN_FILE"] = str(suite.spans)
    started = telemetry.start("rossio-demo", version="0", otlp_endpoint=endpoint, sample_ratio=1.0, log_level="warning")
    try:
        async with Stage.open(suite.stack, Cast(ministry)) as stage:
            return await perform(stage, console)
    finally:
        started.shutdown()


async def _invite(stack: Stack) -> None:
    """What to try while the suite is up."""
    cast = Cast(Ministry(1200, SEED))
    someone, editor = cast.clinician("e03").addresses[0], cast.person("e01", "news.editor").addresses[0]
    console.rule("the suite is up until Ctrl-C")
    console.print(f"SMTP {stack.smtp}   submission {stack.submission}   Kafka {stack.kafka}   MongoDB {stack.mongodb}")
    for name, address in stack.endpoints.items():
        http = f"   HTTP {stack.http[name]}" if name in stack.http else ""
        console.print(f"{name:14} gRPC {address}   http://{stack.admin[name]}/metrics{http}")
    console.print(f"\na token of {someone}, for an hour:\n{await token_for(someone, stack)}", soft_wrap=True)
    console.print("\ntry, in another terminal:")
    for command in (
        f"news feed --as {someone}",
        f"mail resolve {cast.nested_list('e03').addresses[0]} --as {someone}",
        f"doc put README.md $(.venv/bin/rossio doc space Actas --as {someone}) --as {someone}",
        f"doc search rossio --as {someone}",
        f"news publish Olá README.md --audience 'entity = \"e01\"' --as {editor}",
        f"audit verify --as {cast.auditor.addresses[0]}",
        f"mail password create laptop --as {someone}",
    ):
        console.print(f"  .venv/bin/rossio {command}", soft_wrap=True)
    swaks = f"swaks --server {stack.submission} --tls --auth PLAIN --auth-user {someone} --from {someone} --to {editor}"
    console.print(f"and with the password that the last one shows:\n  {swaks}", soft_wrap=True)
