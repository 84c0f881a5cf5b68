"""`rossio prepare`, `rossio check`: before and after an installation, where the suite runs on servers of its own."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Final
from urllib.parse import urlsplit

import messaging
import rpc
import store
import telemetry
import typer
from devstack import ministry
from devstack.issuer import Issuer
from devstack.stack_file import Stack
from errors import Invalid, Transient
from rossio.directory.v1 import service_pb2
from rossio.mail.v1 import service_pb2 as mail_pb2
from testkit.ministry import write_csv

from cli.client import Client, endpoints_of
from cli.command import console, sync
from cli.demo.stage import Cast, Stage, until
from cli.demo.story import REMOTE, perform

SEED: Final = 1
_PAUSE_SECONDS: Final = 1.0


@sync
async def prepare(
    within: Annotated[float, typer.Option(help="Seconds to wait for Kafka and MongoDB.")] = 60.0,
    brokers: Annotated[str, typer.Option(envvar="KAFKA_BOOTSTRAP", help="host:port, comma separated.")] = "",
    mongodb: Annotated[str, typer.Option(envvar="MONGODB_URI", help="mongodb://...")] = "",
) -> None:
    """Looks whether Kafka and MongoDB answer, and makes the topics as topics.yaml wants them."""
    for given, variable in ((brokers, "KAFKA_BOOTSTRAP"), (mongodb, "MONGODB_URI")):
        if not given:
            raise Invalid(f"{variable} is not set")
    kafka = messaging.from_environment(brokers)
    end = time.monotonic() + within
    await _patiently(end, lambda: _ping(mongodb), f"MongoDB at {_hosts(mongodb)}: look at the URI in its secret")
    topics = f"Kafka at {brokers}: look at global.kafka"
    await _patiently(end, lambda: messaging.ensure_topics(kafka), topics)
    console.print(f"MongoDB answers, and {len(messaging.catalogue().streams)} streams have their topics")


async def _patiently(end: float, ask: Callable[[], Awaitable[None]], what: str) -> None:
    while True:
        try:
            return await ask()
        except Transient as error:
            if time.monotonic() >= end:
                raise Transient(f"no answer from {what} ({error})", reason=error.reason) from error
        await asyncio.sleep(_PAUSE_SECONDS)


async def _ping(uri: str) -> None:
    try:
        database = store.connect(uri, "admin")
    except Invalid as error:
        raise Invalid(f"MONGODB_URI, from the secret of global.mongodb.existingSecret: {error}") from None
    try:
        await database.ping()
    finally:
        await database.close()


def _hosts(uri: str) -> str:
    """Where a URI points, without the password in it."""
    return urlsplit(uri).netloc.rpartition("@")[2]


@sync
async def check(
    issuer: Annotated[Path, typer.Option(help="Folder of the issuer's key; ISSUER_KEY holds the key itself.")],
    people: Annotated[int, typer.Option(help="Size of the synthetic ministry that is imported.")] = 1200,
) -> None:
    """Carries a mail, a document and a news item through an installation for development, as its people would.

    ROSSIO_ENDPOINTS and ROSSIO_SMTP say where it is. It imports a synthetic ministry: never run it on a real one.
    """
    stack = _stack(issuer)
    with TemporaryDirectory() as folder:
        cast = Cast(await asyncio.to_thread(write_csv, Path(folder), people, SEED))
        await _load(stack, Path(folder))
    own = telemetry.start("rossio-check", version="0", otlp_endpoint=None, sample_ratio=0.0, log_level="warning")
    try:
        async with Stage.open(stack, cast) as stage:
            await until("the directory is in every view", lambda: _resolves(stage))
            held = await perform(stage, console, REMOTE)
    finally:
        own.shutdown()
    raise typer.Exit(0 if held else 1)


def _stack(issuer: Path) -> Stack:
    given, smtp, key = (os.environ.get(name, "") for name in ("ROSSIO_ENDPOINTS", "ROSSIO_SMTP", "ISSUER_KEY"))
    if not given or not smtp:
        raise Invalid("say where the installation is: ROSSIO_ENDPOINTS=service=host:port,... and ROSSIO_SMTP=host:port")
    if key:
        issuer.mkdir(parents=True, exist_ok=True)
        (issuer / "issuer.pem").write_text(key)
    return Stack(endpoints_of(given), {}, smtp, "", "", str(issuer), "", "", "")


async def _load(stack: Stack, folder: Path) -> None:
    token = Issuer(Path(stack.issuer)).token("operator", kind="service", roles=["ministry.admin"])
    async with Client(stack.endpoints, lambda: token) as client:
        report = await ministry.import_folder(client.directory, folder, service_pb2.ImportOptions())
    if report.errors:
        raise Invalid(f"{len(report.errors)} bad rows, nothing was imported: {report.errors[0].message}")
    loaded = ", ".join(f"{diff.added:,} new {diff.table}" for diff in report.diffs)
    console.print(f"the synthetic ministry is there: {loaded}")


async def _resolves(stage: Stage) -> bool:
    """Whether routing knows the list that the mail goes to: it is imported last, so its view has the rest too."""
    sender, address = stage.cast.person("e01", "news.editor"), stage.cast.nested_list("e03").addresses[0]
    client = await stage.client(sender)
    with rpc.typed_errors():
        found = await client.mail.Resolve(mail_pb2.ResolveRequest(sender=sender.addresses[0], recipient=address))
    return len(found.destinations) == len(stage.cast.members(stage.cast.nested_list("e03")))
