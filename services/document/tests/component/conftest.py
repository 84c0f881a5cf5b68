"""The service as a program on a real Kafka and store, and people of two entities who speak to it over gRPC."""

import asyncio
import hashlib
import sysconfig
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
import rpc
from devstack.issuer import Kind
from devstack.services import ServiceProgram
from google.protobuf.message import Message
from rossio.directory.v1 import directory_pb2, events_pb2
from rossio.document.v1 import document_pb2
from rossio.document.v1 import service_pb2 as pb
from rossio.document.v1.service_pb2_grpc import DocumentServiceStub, SearchServiceStub
from testkit.plugin import Dial
from testkit.streams import Told, publish

CHUNK = 256 * 1024

PEOPLE = {"doc-ana": "doc-a", "doc-rui": "doc-a", "doc-eva": "doc-b", "doc-nuno": "doc-b"}
"""Person -> entity; the numbers are far from those of other tests on the same streams."""


def directory() -> Iterator[Message]:
    for entity_id in ("doc-a", "doc-b"):
        yield events_pb2.EntityChanged(entity=directory_pb2.Entity(entity_id=entity_id, name=entity_id, version=1))
    for number, (person_id, entity_id) in enumerate(PEOPLE.items(), start=200_001):
        person = directory_pb2.Person(
            person_id=person_id, number=number, entity_id=entity_id, state=directory_pb2.PERSON_STATE_ACTIVE, version=1
        )
        yield events_pb2.PersonChanged(person=person)
    ward = directory_pb2.Group(
        group_id="doc-ward", entity_id="doc-b", members=[directory_pb2.Member(person_id="doc-nuno")], version=1
    )
    all_wards = directory_pb2.Group(
        group_id="doc-wards", entity_id="doc-b", members=[directory_pb2.Member(group_id="doc-ward")], version=1
    )
    yield events_pb2.GroupChanged(group=ward)
    yield events_pb2.GroupChanged(group=all_wards)


@pytest.fixture
async def ministry(streams: str) -> None:
    """Two entities, two people in each, and a group nested in another, on the directory's streams."""
    await publish(streams, directory())


class Person:
    """Somebody's stub, and the longer conversations in short."""

    def __init__(self, stub: DocumentServiceStub, searching: SearchServiceStub) -> None:
        self.stub = stub
        self.searching = searching

    async def do(self, method: str, **fields: Any) -> Any:
        """Calls a method with these fields, and a new request_id where it takes one."""
        request_type = getattr(pb, f"{method}Request")
        if "request_id" in request_type.DESCRIPTOR.fields_by_name:
            fields.setdefault("request_id", new_id())
        return await getattr(self.stub, method)(request_type(**fields))

    async def space(self, name: str = "Relatórios", **kind: Any) -> str:
        request = pb.CreateSpaceRequest(request_id=new_id(), name=name, **kind)
        return (await self.stub.CreateSpace(request)).space.space_id

    async def folder(self, parent_id: str, name: str) -> document_pb2.Node:
        request = pb.CreateFolderRequest(request_id=new_id(), parent_id=parent_id, name=name)
        return (await self.stub.CreateFolder(request)).node

    async def put(self, content: bytes, **header: Any) -> document_pb2.Node:
        """Uploads; what the header does not say is true of the content."""
        said = {"request_id": new_id(), "size": len(content), "sha256": sha256(content), **header}
        return (
            await self.stub.Upload(parts([content[i : i + CHUNK] for i in range(0, len(content), CHUNK)], said))
        ).node

    async def get(self, node_id: str, **rest: Any) -> bytes:
        return b"".join([part.chunk async for part in self.stub.Download(pb.DownloadRequest(node_id=node_id, **rest))])

    async def names(self, node_id: str) -> list[str]:
        return [node.name for node in (await self.stub.ListFolder(pb.ListFolderRequest(node_id=node_id))).nodes]

    async def share(self, node_id: str, role: document_pb2.Role.ValueType = document_pb2.ROLE_READER, **to: str) -> Any:
        request = pb.ShareRequest(request_id=new_id(), node_id=node_id, grantee=document_pb2.Grantee(**to), role=role)
        return (await self.stub.Share(request)).grant

    async def page(self, query: str = "", **rest: Any) -> Any:
        """A page of what they find, asked again while the index is being made."""
        async with asyncio.timeout(60):
            while True:
                try:
                    return await self.searching.Search(pb.SearchRequest(query=query, **rest))
                except grpc.aio.AioRpcError as error:
                    if rpc.error_of(error).reason != "INDEX_BUILDING":
                        raise
                await asyncio.sleep(0.1)

    async def found(self, query: str = "", **rest: Any) -> list[str]:
        """The names of what they find now, in order."""
        return [result.node.name for result in (await self.page(query, **rest)).results]

    async def finds(self, names: Sequence[str], query: str = "", **rest: Any) -> None:
        """They find these, in this order, as soon as the index knows."""
        found: list[str] = []
        deadline = asyncio.get_running_loop().time() + 90
        while (found := await self.found(query, **rest)) != list(names):
            assert asyncio.get_running_loop().time() < deadline, (query, found, names)
            await asyncio.sleep(0.1)

    async def unshare(self, node_id: str, grant_id: str) -> None:
        await self.stub.Unshare(pb.UnshareRequest(request_id=new_id(), node_id=node_id, grant_id=grant_id))

    async def trash(self, node_id: str) -> None:
        await self.stub.Trash(pb.TrashRequest(request_id=new_id(), node_id=node_id))


async def parts(chunks: Iterable[bytes], header: dict[str, Any]) -> AsyncIterator[pb.UploadRequest]:
    yield pb.UploadRequest(header=pb.UploadHeader(**header))
    for chunk in chunks:
        yield pb.UploadRequest(chunk=chunk)


As = Callable[..., Person]


@pytest.fixture
def caller(dial: Dial) -> As:
    """`caller(program, person_id)` is that person, speaking to the program; or a service or citizen, by `kind`."""

    def speak(program: ServiceProgram, subject: str, kind: Kind = "person", roles: Sequence[str] = ()) -> Person:
        channel = dial(program, subject, kind=kind, entity=PEOPLE.get(subject, ""), roles=roles)
        return Person(DocumentServiceStub(channel), SearchServiceStub(channel))

    return speak


@pytest.fixture(scope="session")
def real_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64 MiB of real content: Python's own sources, one after the other."""
    path = tmp_path_factory.mktemp("real") / "python.txt"
    left = 64 << 20
    with path.open("wb") as out:
        while left:
            for source in sorted(Path(sysconfig.get_path("stdlib")).rglob("*.py")):
                piece = source.read_bytes()[:left]
                out.write(piece)
                left -= len(piece)
    return path


def new_id() -> str:
    return uuid4().hex


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def told(streams: str) -> Told:
    return Told(streams, "document.file.v1", "node_id")


@pytest.fixture
def until_killed() -> Callable[[ServiceProgram, Awaitable[Any]], Awaitable[None]]:
    """`await until_killed(program, call)` makes the call; the process ends by SIGKILL during or after it."""

    async def die(program: ServiceProgram, call: Awaitable[Any]) -> None:
        await asyncio.gather(call, return_exceptions=True)
        await program.killed()

    return die
