"""The whole suite on one machine: broker, store, issuer, six services, and a watch over them.

Every start begins with nothing: what a run stored goes when the next one starts, because the light broker keeps
nothing either. The logs of the last run and the issuer's key stay in the folder.
"""

import asyncio
import fcntl
import os
import shutil
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NoReturn, Self, TypeVar

import messaging
import rpc
from errors import Invalid
from rossio.directory.v1 import service_pb2
from rossio.directory.v1.service_pb2_grpc import DirectoryServiceStub

from devstack import kafka, ministry
from devstack.certificate import self_signed
from devstack.issuer import Issuer
from devstack.kafka import Kafka
from devstack.mongo import Mongo
from devstack.program import Missing, Program
from devstack.services import SERVICES, Service, ServiceProgram, Surroundings
from devstack.stack_file import Stack
from devstack.tansu import Tansu

_T = TypeVar("_T")
# The light broker takes up to 18 s for each group that a service joins.
_READY_SECONDS = 120
_WATCH_SECONDS = 0.5
_RENEW_TOKENS = timedelta(minutes=20)
# Longer than the services give themselves.
_DRAIN_SECONDS = 30


def spans_file(folder: Path) -> Path:
    """Where the spans of a suite in `folder` are; they stay until the next one starts there."""
    return folder / "state" / "spans.jsonl"


@dataclass(frozen=True, slots=True)
class Beside:
    """A further program, such as the simulator of an outside provider, and what services are told of it."""

    program: Program
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Service -> setting -> value."""


class Suite:
    """`async with Suite(...) as suite` is up when entered, and stops all that it started.

    Ports are those of the services' READMEs; with `free_ports` any, so that several suites run side by side.

    Raises:
        Missing: a port is in use, a suite runs in the folder already, or a tool is not there.
        Failed: a program died or was not ready in time; the message holds the end of its log.
    """

    def __init__(
        self,
        folder: Path,
        *,
        say: Callable[[str], None] = print,
        free_ports: bool = False,
        services: Sequence[Service] = SERVICES,
        beside: Sequence[Beside] = (),
    ) -> None:
        self.folder = folder.absolute()
        self.issuer = Issuer(self.folder / "issuer")
        self.services: dict[str, ServiceProgram] = {}
        self._state = self.folder / "state"
        self.spans = spans_file(self.folder)
        self._say = say
        self._free_ports = free_ports
        self._kinds = services
        self._beside = beside
        self._servers: list[Program] = []
        self._lock: IO[str] | None = None
        self._watch: asyncio.Task[NoReturn] | None = None

    async def __aenter__(self) -> Self:
        self._take_folder()
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def watch_over(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Runs `work`, and gives up when a program of the suite dies meanwhile.

        Raises:
            Failed: a program died; nothing is started again in silence.
        """
        assert self._watch is not None, "the suite is not up"
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task, self._watch}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else self._watch.result()
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def load(self, folder: Path) -> service_pb2.ImportResponse:
        """Imports the CSV files of a ministry into the directory, as an operator of the whole ministry.

        It is there when this returns: in the directory, and in the view of every service that follows it.

        Raises:
            Invalid: a row is bad; names the first ones.
            Failed: the view of a service did not get there in time.
        """
        token = self.issuer.token("operator", kind="service", roles=["ministry.admin"])
        async with rpc.channel(self.stack.endpoints["directory"], token=lambda: token) as channel:
            report = await ministry.import_folder(DirectoryServiceStub(channel), folder, service_pb2.ImportOptions())
        if report.errors:
            rows = "; ".join(f"{row.table}.csv:{row.line} {row.column}: {row.message}" for row in report.errors[:5])
            raise Invalid(f"{len(report.errors)} bad rows, nothing was imported: {rows}")
        changes = sum(diff.added for diff in report.diffs)
        followers = {name for stream in messaging.catalogue().streams.values() for name in stream.followers}
        for name, service in self.services.items():
            if name in followers:
                await asyncio.to_thread(service.wait_for, "rossio_directory_view_version", changes)
        return report

    def _take_folder(self) -> None:
        """Makes sure that no other suite uses the folder, and throws away what the last one stored."""
        self._lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise Missing(f"a suite runs in {self.folder} already: stop that one, or use another folder") from None
        shutil.rmtree(self._state, ignore_errors=True)

    async def _start(self) -> None:
        if not self._free_ports:
            for kind in self._kinds:
                kind.check_ports()
        surroundings = await self._start_servers()
        self.certificate = self_signed(self._state / "tls")
        for kind in self._kinds:
            settings = self._tracing()
            for beside in self._beside:
                settings |= beside.settings.get(kind.name, {})
            folder = self._state / kind.name
            self.services[kind.name] = ServiceProgram(
                kind,
                folder,
                surroundings,
                free_ports=self._free_ports,
                settings=settings,
                certificate=self.certificate,
            )
        for service in self.services.values():
            service.settings |= {
                f"{other.name.upper().replace('-', '_')}_ADDRESS": other.grpc for other in self.services.values()
            }
        await self._launch(list(self.services.values()))
        self.stack = self._describe(surroundings)
        self.stack.write(self.folder / "stack.json")
        self._watch = asyncio.create_task(self._watch_programs())

    def _tracing(self) -> dict[str, str]:
        """Every trace is kept: by the collector that OTLP_ENDPOINT names, else in a file that `rossio trace` reads."""
        ratio = {"TRACE_SAMPLE_RATIO": os.environ.get("TRACE_SAMPLE_RATIO", "1")}
        return ratio if "OTLP_ENDPOINT" in os.environ else ratio | {"ROSSIO_SPAN_FILE": str(self.spans)}

    async def _start_servers(self) -> Surroundings:
        broker = self._choose_broker()
        store = None if "MONGODB_URI" in os.environ else Mongo(self._state / "mongo")
        own = [server for server in (broker, store) if server is not None]
        self._servers = [*own, *(beside.program for beside in self._beside)]
        await self._launch(self._servers)
        bootstrap = os.environ["KAFKA_BOOTSTRAP"] if broker is None else broker.bootstrap
        light = isinstance(broker, Tansu)
        kafka = messaging.from_environment(bootstrap, idempotence=not light)
        await messaging.ensure_topics(kafka, embedded=light)
        self._say("topics are there")
        mongodb = os.environ["MONGODB_URI"] if store is None else store.uri
        return Surroundings(bootstrap, mongodb, self.issuer, idempotence=not light)

    def _choose_broker(self) -> Kafka | Tansu | None:
        """None: one runs elsewhere. The light one, unless the real one can start without fetching anything."""
        if "KAFKA_BOOTSTRAP" in os.environ:
            return None
        wanted = os.environ.get("ROSSIO_BROKER")
        if wanted not in {None, "kafka", "light"}:
            raise Invalid(f'ROSSIO_BROKER is "{wanted}"; it may be "kafka" or "light"')
        if wanted == "kafka" or (wanted is None and kafka.cached() and kafka.missing() is None):
            if not kafka.cached():
                self._say(f"Apache Kafka {kafka.VERSION} is fetched (43 MB, once)")
            return Kafka(self._state / "kafka")
        self._say("the broker is the light one, for development only: it keeps everything in memory")
        return Tansu(self._state / "tansu")

    async def _launch(self, programs: Sequence[Program]) -> None:
        """Starts programs beside each other and waits until all are ready."""

        async def ready(program: Program) -> None:
            await asyncio.to_thread(program.wait, _READY_SECONDS)
            self._say(f"{program.name} is ready")

        for program in programs:
            self._say(f"{program.name} starts")
            program.launch()
        await asyncio.gather(*(ready(program) for program in programs))

    def _describe(self, surroundings: Surroundings) -> Stack:
        mail = self.services.get("mail-routing")
        return Stack(
            endpoints={name: service.grpc for name, service in self.services.items()},
            admin={name: service.admin for name, service in self.services.items()},
            smtp=mail.addresses["SMTP_ADDRESS"] if mail else "",
            kafka=surroundings.kafka,
            mongodb=surroundings.mongodb,
            issuer=str(self.folder / "issuer"),
            maildirs=str(self._state / "mail-routing" / "data" / "maildirs"),
            spans=str(self.spans),
            sms_log=str(self._state / "sms" / "sms.jsonl"),
            submission=mail.addresses["SUBMISSION_ADDRESS"] if mail else "",
            certificate=str(self.certificate),
            http={
                name: service.addresses["HTTP_ADDRESS"]
                for name, service in self.services.items()
                if "HTTP_ADDRESS" in service.addresses
            },
        )

    async def _watch_programs(self) -> NoReturn:
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            for program in [*self._servers, *self.services.values()]:
                if program.exit_code is not None:
                    raise program.failure(f"died with code {program.exit_code}")
            if loop.time() - renewed > _RENEW_TOKENS.total_seconds():
                renewed = loop.time()
                for service in self.services.values():
                    service.renew_token()

    async def _stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        services = self.services.values()
        await asyncio.gather(*(asyncio.to_thread(service.stop, _DRAIN_SECONDS) for service in services))
        for server in self._servers:
            # What they keep goes with the next start; a clean end would only cost time.
            server.kill()
        (self.folder / "stack.json").unlink(missing_ok=True)
        assert self._lock is not None
        self._lock.close()
