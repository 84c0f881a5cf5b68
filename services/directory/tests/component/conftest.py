"""directory as a program on a real Kafka and store, and those who call it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import messaging
import pytest
import store
from devstack.issuer import Issuer
from devstack.services import SERVICES, ServiceProgram, Surroundings
from directory_view import View
from messaging import Delivery
from rossio.directory.v1 import directory_pb2
from rossio.directory.v1 import service_pb2 as pb
from rossio.directory.v1.service_pb2_grpc import DirectoryServiceStub
from rossio.governance.v1.audit_pb2 import ActionAudited
from testkit import ministry
from testkit.plugin import Dial

_VIEWED = tuple(f"directory.{kind}.v1" for kind in ("entity", "unit", "person", "group"))

Files = Mapping[str, bytes]


class Streams:
    """What this test has published, read from the streams' beginning."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self._kafka = messaging.Kafka(bootstrap)
        self._begun = datetime.now(UTC)

    async def view(self, until: Callable[[View], bool]) -> View:
        """A view that is built anew until it is so."""
        view = View()

        async def apply(deliveries: Sequence[Delivery]) -> None:
            changes: Any = (delivery.message for delivery in self._own(deliveries))
            view.apply(changes)

        await self._follow(_VIEWED, apply, lambda: until(view))
        return view

    async def audits(self, until: Callable[[list[ActionAudited]], bool]) -> list[ActionAudited]:
        """The audit records, each once, until they are so."""
        found: dict[str, Any] = {}

        async def apply(deliveries: Sequence[Delivery]) -> None:
            found.update((delivery.id, delivery.message) for delivery in self._own(deliveries))

        await self._follow(["audit.v1"], apply, lambda: until(list(found.values())))
        return list(found.values())

    def _own(self, deliveries: Sequence[Delivery]) -> Iterator[Delivery]:
        return (delivery for delivery in deliveries if delivery.time >= self._begun)

    async def _follow(self, streams: Sequence[str], apply: Any, until: Callable[[], bool]) -> None:
        follower = messaging.Follower(self._kafka, streams, apply)
        await follower.start()
        try:
            async with asyncio.timeout(120):
                while not until():
                    await asyncio.sleep(0.05)
        finally:
            await follower.stop()


@pytest.fixture
def streams(streams: str) -> Streams:
    """The module's streams, whose people are everybody's there, and what this test published on them."""
    return Streams(streams)


@pytest.fixture
def directory(
    tmp_path: Path, streams: Streams, mongo: str, database_name: str, issuer: Issuer
) -> Iterator[ServiceProgram]:
    """A directory, not started, with a database of its own."""
    (kind,) = [kind for kind in SERVICES if kind.name == "directory"]
    surroundings = Surroundings(streams.bootstrap, mongo, issuer, database_prefix=f"{database_name}_")
    program = ServiceProgram(kind, tmp_path / "directory", surroundings)
    yield program
    program.kill()


class Keeper:
    """Somebody who keeps the directory, or reads it."""

    def __init__(self, stub: Any) -> None:
        self.stub = stub

    async def import_(self, files: Files, **options: Any) -> Any:
        async def parts() -> AsyncIterator[pb.ImportRequest]:
            yield pb.ImportRequest(options=pb.ImportOptions(**options))
            for table, data in files.items():
                for start in range(0, len(data), 10_000):
                    chunk = pb.ImportChunk(table=table, data=data[start : start + 10_000])
                    yield pb.ImportRequest(chunk=chunk)

        return await self.stub.Import(parts())

    async def person(self, name: str) -> Any:
        return (await self.stub.GetPerson(pb.GetPersonRequest(name=name))).person

    async def group(self, name: str) -> Any:
        return (await self.stub.GetGroup(pb.GetGroupRequest(name=name))).group

    async def put(self, person: directory_pb2.Person, request_id: str = "") -> Any:
        request = pb.PutPersonRequest(request_id=request_id or messaging.new_id(), person=person)
        return (await self.stub.PutPerson(request)).person

    async def put_group(self, group: directory_pb2.Group) -> Any:
        return (await self.stub.PutGroup(pb.PutGroupRequest(request_id=messaging.new_id(), group=group))).group

    async def people(self, entity_id: str, page_size: int) -> list[list[str]]:
        """The ids on each page."""
        pages: list[list[str]] = []
        token = ""
        while True:
            request = pb.ListPeopleRequest(entity_id=entity_id, page_size=page_size, page_token=token)
            page = await self.stub.ListPeople(request)
            pages.append([person.person_id for person in page.people])
            token = page.next_page_token
            if not token:
                return pages


As = Callable[..., Keeper]


@pytest.fixture
def keeper(directory: ServiceProgram, dial: Dial) -> As:
    """`keeper(entity, *roles, subject=...)`; without an entity: a service of the ministry."""

    def speak(entity: str = "", *roles: str, subject: str = "keeper") -> Keeper:
        kind = "person" if entity else "service"
        return Keeper(DirectoryServiceStub(dial(directory, subject, kind=kind, entity=entity, roles=roles)))

    return speak


Documents = Callable[[], Awaitable[dict[str, store.Document]]]


@pytest.fixture
async def documents(directory: ServiceProgram, mongo: str) -> AsyncIterator[Documents]:
    """`await documents()`: all that the directory keeps, by key."""
    database = store.connect(mongo, directory.environment()["MONGODB_DATABASE"])

    async def read() -> dict[str, store.Document]:
        return {document["_id"]: document async for document in database.collection("records").find({})}

    yield read
    await database.close()


@pytest.fixture(scope="session")
def csvs(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """The files of a small ministry."""
    folder = tmp_path_factory.mktemp("csv")
    ministry.write_csv(folder, 300)
    return {path.stem: path.read_bytes() for path in folder.iterdir()}
