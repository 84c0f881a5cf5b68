"""The pytest plugin of the suite: one real Kafka, one store and one token issuer for a whole run.

Every pytest run in the environment has it (entry point `pytest11`). Servers start when the first test asks for
them. What a machine lacks fails the test in CI and skips it, with the reason, elsewhere. Tests keep apart by
fresh database names, group ids and topics, not by servers of their own; those of services, whose groups and
streams have fixed names, have a Kafka for each module (`streams`), and a test that kills its server asks for
`own_kafka` or `own_mongo`.
"""

import asyncio
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pytest
import pytest_asyncio
from devstack import kafka as real_kafka
from devstack.issuer import Issuer
from devstack.kafka import Kafka
from devstack.mongo import Mongo
from devstack.program import Program
from devstack.services import SERVICES, ServiceProgram, Surroundings

from testkit import polling
from testkit.s3 import S3

if TYPE_CHECKING:
    from grpc import aio
    from store import Database

_P = TypeVar("_P", bound=Program)


def pytest_itemcollected(item: pytest.Item) -> None:
    """A test that asks for the real Kafka carries its mark, so that `-m "not kafka"` needs no Java."""
    if {"kafka", "module_kafka", "own_kafka"} & set(getattr(item, "fixturenames", ())):
        item.add_marker("kafka")


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The bootstrap address of a real Apache Kafka that the whole run shares (KAFKA_BOOTSTRAP if that is set)."""
    given = os.environ.get("KAFKA_BOOTSTRAP")
    if given:
        yield given
        return
    with _running(_kafka(tmp_path_factory.mktemp("kafka"))) as server:
        yield server.bootstrap


@pytest.fixture(scope="module")
def module_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The bootstrap address of a real Kafka that only the tests of one module share, for those that read groups
    or streams whole.
    """
    with _running(_kafka(tmp_path_factory.mktemp("kafka"))) as server:
        yield server.bootstrap


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[Kafka]:
    """A real Kafka for one test, which may kill, pause and start it again."""
    with _running(_kafka(tmp_path / "kafka")) as server:
        yield server


@pytest.fixture(scope="session")
def mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a store that the whole run shares (MONGODB_URI if that is set)."""
    given = os.environ.get("MONGODB_URI")
    if given:
        yield given
        return
    with _running(Mongo(tmp_path_factory.mktemp("mongo"))) as server:
        yield server.uri


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """A real S3 server that the whole run shares."""
    with _running(S3(tmp_path_factory.mktemp("s3"))) as server:
        yield server


@pytest.fixture
def bucket(s3: S3) -> str:
    """The name of an empty bucket that no other test has, made as an operator would."""
    import boto3  # noqa: PLC0415 - slow to load, and for few tests

    name = f"test-{uuid.uuid4().hex}"
    boto3.client("s3", **s3.client()).create_bucket(Bucket=name)
    return name


@pytest.fixture
def own_mongo(tmp_path: Path) -> Iterator[Mongo]:
    """A store for one test, which may kill, pause and start it again."""
    with _running(Mongo(tmp_path / "mongo")) as server:
        yield server


@pytest.fixture
def database_name() -> str:
    """The name of a database that no other test has."""
    return f"test_{uuid.uuid4().hex}"


@pytest_asyncio.fixture
async def database(mongo: str, database_name: str) -> AsyncIterator["Database"]:
    """A database that no other test has."""
    import store  # noqa: PLC0415 - a run without a store need not load its client

    made = store.connect(mongo, database_name)
    yield made
    await made.drop()
    await made.close()


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    """Signs the tokens of the run; its keys are the file `issuer.jwks`."""
    return Issuer(tmp_path_factory.mktemp("issuer"))


@pytest.fixture(scope="module")
def streams(module_kafka: str) -> str:
    """The bootstrap address of a Kafka of the module's own, on which every stream of topics.yaml is there.

    Services settle streams under groups that are theirs for good: on a shared Kafka one module's service would
    first have to work off what all the others left.
    """
    import messaging  # noqa: PLC0415 - a run without streams need not load the Kafka client

    asyncio.run(messaging.ensure_topics(module_kafka))
    return module_kafka


class StartService(Protocol):
    """Starts a service of the suite as a program, on free ports; keyword arguments are further settings."""

    def __call__(self, name: str, **settings: str) -> ServiceProgram: ...


@pytest.fixture
def start_service(
    tmp_path: Path, streams: str, mongo: str, database_name: str, issuer: Issuer
) -> Iterator[StartService]:
    """Starts services on the module's streams, in databases of this test; all are killed when it ends."""
    surroundings = Surroundings(streams, mongo, issuer, database_prefix=f"{database_name}_")
    kinds = {service.name: service for service in SERVICES}
    started: list[ServiceProgram] = []

    def start(name: str, **settings: str) -> ServiceProgram:
        program = ServiceProgram(kinds[name], tmp_path / f"{name}-{len(started)}", surroundings, settings=settings)
        started.append(program)
        program.start()
        return program

    yield start
    for program in started:
        program.kill()


class Dial(Protocol):
    """A channel to a program, as somebody: `dial(program, "ana", entity="e01", roles=["news.editor"])`."""

    def __call__(self, program: ServiceProgram, subject: str, **claims: Any) -> "aio.Channel": ...


@asynccontextmanager
async def dialling(issuer: Issuer) -> AsyncIterator[Dial]:
    """Channels that are closed at the end; the claims are those of `Issuer.token`."""
    import rpc  # noqa: PLC0415 - a run without calls need not load gRPC

    async with AsyncExitStack() as channels:

        def dial(program: ServiceProgram, subject: str, **claims: Any) -> "aio.Channel":
            token = issuer.token(subject, **claims)
            channel = rpc.channel(program.grpc, token=lambda: token)
            channels.push_async_callback(channel.close)
            return channel

        yield dial


@pytest_asyncio.fixture
async def dial(issuer: Issuer) -> AsyncIterator[Dial]:
    """Channels for one test."""
    async with dialling(issuer) as made:
        yield made


Until = Callable[..., Awaitable[Any]]


@pytest.fixture
def until() -> Until:
    """Waits for what another task or process does; see polling."""
    return polling.until


Refused = Callable[..., AbstractContextManager[None]]


@pytest.fixture
def refused() -> Refused:
    """Asserts that what is inside ends with a status, and for a reason where one is given.

    `with refused("NOT_FOUND", "NO_SUCH_NODE"): ...`
    """
    import rpc  # noqa: PLC0415 - as above
    from grpc import aio  # noqa: PLC0415

    @contextmanager
    def expect(code: str, reason: str = "") -> Iterator[None]:
        with pytest.raises(aio.AioRpcError) as refusal:
            yield
        assert refusal.value.code().name == code, refusal.value
        assert reason in {"", rpc.error_of(refusal.value).reason}, refusal.value

    return expect


def _kafka(folder: Path) -> Kafka:
    lack = real_kafka.missing()
    if lack is None:
        return Kafka(folder)
    if os.environ.get("CI"):
        pytest.fail(lack, pytrace=False)
    pytest.skip(lack)


@contextmanager
def _running(server: _P) -> Iterator[_P]:
    """Runs the server; afterwards its log stays and its data go."""
    server.start()
    try:
        yield server
    finally:
        server.kill()
        shutil.rmtree(server.folder / "data", ignore_errors=True)
