"""A real service, run as a program on a real broker and store."""

import asyncio
import signal
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import messaging
import pymongo
import pytest
import rpc
from devstack import kafka as real_kafka
from devstack.issuer import AUDIENCE, Issuer
from devstack.kafka import Kafka
from devstack.mongo import Mongo
from devstack.program import LOOPBACK, Program, free_port
from rossio.mail.v1 import events_pb2, service_pb2
from rossio.mail.v1.service_pb2_grpc import MailServiceStub
from store import Collection, Database


class Tiny(Program):
    """The tiny service; `settings` are its environment."""

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        super().__init__("tiny", folder)
        self.admin = f"{LOOPBACK}:{free_port()}"
        self.grpc = f"{LOOPBACK}:{free_port()}"
        self.settings = {"ADMIN_ADDRESS": self.admin, "GRPC_ADDRESS": self.grpc, **settings}

    def command(self) -> list[str]:
        return [sys.executable, str(Path(__file__).parent / "tiny_service.py")]

    def environment(self) -> Mapping[str, str]:
        return self.settings

    def ask(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read().decode()
        except OSError:
            return 0, ""

    def ready(self) -> bool:
        return self.ask("/readyz")[0] == 200

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def ended(self, seconds: float = 30) -> int:
        """The exit code, once it has ended by itself."""
        assert self._process is not None
        return self._process.wait(seconds)


@pytest.fixture
def told(tmp_path: Path, issuer: Issuer, database_name: str) -> dict[str, str]:
    """Settings of a service for which neither broker nor store is there."""
    return {
        "KAFKA_BOOTSTRAP": f"{LOOPBACK}:{free_port()}",
        "MONGODB_URI": f"mongodb://{LOOPBACK}:{free_port()}/?retryWrites=false",
        "MONGODB_DATABASE": database_name,
        "OIDC_ISSUER": issuer.name,
        "OIDC_AUDIENCE": AUDIENCE,
        "OIDC_JWKS": str(issuer.jwks),
        "DATA_PATH": str(tmp_path / "data"),
        "DRAIN_SECONDS": "20",
    }


Start = Callable[..., Tiny]


@pytest.fixture
def tiny(tmp_path: Path, told: dict[str, str]) -> Iterator[Start]:
    """Makes tiny services with further settings; all are dead when the test ends."""
    made: list[Tiny] = []

    def make(**settings: str) -> Tiny:
        made.append(Tiny(tmp_path / f"tiny-{len(made)}", {**told, **settings}))
        return made[-1]

    yield make
    for program in made:
        program.kill()


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.05)


@asynccontextmanager
async def calls(program: Tiny, issuer: Issuer) -> AsyncIterator[Any]:
    token = issuer.token("p1", entity="e01")
    async with rpc.channel(program.grpc, token=lambda: token) as channel:
        yield MailServiceStub(channel)


RESOLVE = service_pb2.ResolveRequest(recipient="a@e01.example.pt")


async def test_wrong_settings_are_a_line_each_and_code_2(tiny: Start) -> None:
    program = tiny(LOG_LEVEL="shout", DRAIN_SECONDS="long", ROSSIO_ROLES="api")
    program.launch()
    assert await asyncio.to_thread(program.ended) == 2
    lines = sorted(program.output().splitlines())
    assert [line.split(": ")[:2] for line in lines] == [
        ["notification", "DRAIN_SECONDS"],
        ["notification", "LOG_LEVEL"],
    ]


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"ROLES": "api,cook"}, "notification: ROLES: notification has no role cook; it has api, worker"),
        (
            {"MONGODB_URI": "mongodb://user:pass@word@store:27017"},
            (
                "notification: MONGODB_URI: no URI of a store: it is mongodb://user:password@host:port/"
                "?replicaSet=name, where @ : / and % in user and password are written %40 %3A %2F %25"
            ),
        ),
        ({"OIDC_JWKS": ""}, "notification: OIDC_JWKS: needed, since this process serves gRPC"),
        (
            {"KAFKA_TLS": "true", "KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_SASL_PASSWORD": "horse"},
            "notification: KAFKA_SASL_USERNAME: needed, since KAFKA_SASL_MECHANISM is set",
        ),
    ],
)
async def test_settings_that_do_not_fit_the_service_are_a_line_and_code_2(
    tiny: Start, settings: dict[str, str], line: str
) -> None:
    program = tiny(**settings)
    program.launch()
    assert await asyncio.to_thread(program.ended) == 2
    assert program.output().splitlines() == [line]


@pytest.mark.parametrize("setting", ["ADMIN_ADDRESS", "GRPC_ADDRESS"])
@pytest.mark.kafka
async def test_a_port_in_use_is_a_line_that_says_what_to_do_and_code_1(
    tiny: Start, streams: str, mongo: str, setting: str
) -> None:
    program = tiny(KAFKA_BOOTSTRAP=streams, MONGODB_URI=mongo)
    host, port = program.settings[setting].split(":")
    with socket.create_server((host, int(port))):
        program.launch()
        assert await asyncio.to_thread(program.ended) == 1
    said = [line for line in program.output().splitlines() if not line.startswith("{")]
    assert said == [
        f"notification: {host}:{port} is in use: stop what listens there, or set {setting} to another address"
    ]


async def test_an_index_of_another_release_is_a_line_that_says_what_to_do_and_code_1(
    tiny: Start, mongo: str, database_name: str
) -> None:
    with pymongo.MongoClient[dict[str, Any]](mongo) as client:
        client[database_name]["notes"].create_index("outbox.at", unique=True)
    program = tiny(MONGODB_URI=mongo, ROLES="api")
    program.launch()
    assert await asyncio.to_thread(program.ended) == 1
    (said,) = (line for line in program.output().splitlines() if not line.startswith("{"))
    assert said.startswith(f"notification: {database_name}.notes has indexes of another release with other options")
    assert said.endswith(f'db.getSiblingDB("{database_name}").notes.dropIndex("outbox.at_1")')


async def test_it_prepares_the_store_alone_and_says_so(tiny: Start, mongo: str, database_name: str) -> None:
    """No broker is there, and its admin port is somebody else's."""
    program = tiny(MONGODB_URI=mongo, PREPARE_SECONDS="30")
    host, port = program.admin.split(":")
    with socket.create_server((host, int(port))):
        program.launch()
        assert await asyncio.to_thread(program.ended) == 0
    assert program.output().splitlines() == ["notification: the indexes are there"]
    with pymongo.MongoClient[dict[str, Any]](mongo) as client:
        made = client[database_name]
        assert {name: "outbox.at_1" in made[name].index_information() for name in made.list_collection_names()} == {
            "notes": True,
            "settled": True,
        }


async def test_indexes_that_cannot_be_prepared_are_a_line_and_code_1(
    tiny: Start, mongo: str, database_name: str
) -> None:
    with pymongo.MongoClient[dict[str, Any]](mongo) as client:
        client[database_name]["notes"].create_index("outbox.at", unique=True)
    program = tiny(MONGODB_URI=mongo, PREPARE_SECONDS="30")
    program.launch()
    assert await asyncio.to_thread(program.ended) == 1
    (said,) = program.output().splitlines()
    assert said.startswith(f"notification: {database_name}.notes has indexes of another release with other options")


async def test_a_store_that_is_away_is_given_up_with_a_line_and_code_1(tiny: Start) -> None:
    program = tiny(PREPARE_SECONDS="0.5")
    program.launch()
    assert await asyncio.to_thread(program.ended) == 1
    (said,) = program.output().splitlines()
    assert said.startswith("notification: no indexes within 0.5 s: The store cannot be reached or is too slow. Look at")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_can_be_stopped_while_nothing_that_it_needs_is_there(tiny: Start, number: signal.Signals) -> None:
    program = tiny()
    program.launch()
    await until(lambda: "store waits" in program.ask("/readyz")[1])
    program.send(number)
    assert await asyncio.to_thread(program.ended) == 0


@pytest.mark.kafka
async def test_a_broker_that_does_not_take_the_password_is_waited_for_and_named(
    tiny: Start, tmp_path: Path, mongo: str
) -> None:
    if lack := real_kafka.missing():
        pytest.skip(lack)
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    settings = {
        "listener.name.users.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.users.scram-sha-512.sasl.jaas.config": login,
    }
    broker = Kafka(
        tmp_path / "kafka", listeners={"USERS": "SASL_PLAINTEXT"}, users={"rossio": "right"}, settings=settings
    )
    broker.start()
    try:
        await messaging.ensure_topics(broker.bootstrap)
        told = {
            "MONGODB_URI": mongo,
            "KAFKA_BOOTSTRAP": broker.address("USERS"),
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SASL_USERNAME": "rossio",
            "KAFKA_SASL_WITHOUT_TLS": "true",
        }
        refused, taken = tiny(**told, KAFKA_SASL_PASSWORD="horse"), tiny(**told, KAFKA_SASL_PASSWORD="right")
        refused.launch()
        await until(lambda: "does not take this user and password" in refused.ask("/readyz")[1])
        assert "KAFKA_REFUSES" in refused.output()
        assert "horse" not in refused.output()
        taken.launch()
        await until(taken.ready)
    finally:
        broker.kill()


async def test_a_store_and_a_broker_that_come_late_are_waited_for(
    tiny: Start, own_kafka: Kafka, own_mongo: Mongo, issuer: Issuer
) -> None:
    await messaging.ensure_topics(own_kafka.bootstrap)
    own_kafka.kill()
    own_mongo.kill()
    program = tiny(KAFKA_BOOTSTRAP=own_kafka.bootstrap, MONGODB_URI=own_mongo.uri)
    program.launch()

    await until(lambda: "store waits" in program.ask("/readyz")[1])
    assert program.ask("/livez") == (200, "live\n")
    await asyncio.to_thread(own_mongo.start)
    await until(lambda: "producer waits: Kafka does not answer" in program.ask("/readyz")[1])
    assert program.ask("/readyz")[0] == 503
    assert program.ask("/livez") == (200, "live\n")
    await asyncio.to_thread(own_kafka.start)
    await until(program.ready)

    async with calls(program, issuer) as mail:
        assert (await mail.Resolve(RESOLVE)).destination_count == 1
    waits = [line for line in program.output().splitlines() if '"waits for a dependency"' in line]
    assert len(waits) == 2
    assert '"component": "store"' in waits[0]
    assert '"component": "producer"' in waits[1]


async def test_a_store_that_goes_is_told_and_taken_up_again(
    tiny: Start, streams: str, own_mongo: Mongo, issuer: Issuer
) -> None:
    program = tiny(KAFKA_BOOTSTRAP=streams, MONGODB_URI=own_mongo.uri, ROLES="api")
    await asyncio.to_thread(program.start)
    own_mongo.stop()  # not killed: this one cannot be opened again when it dies while it makes its tables
    await until(lambda: "store: " in program.ask("/readyz")[1])
    assert program.ask("/livez")[0] == 200
    await asyncio.to_thread(own_mongo.start)
    await until(program.ready)
    async with calls(program, issuer) as mail:
        submitted = await mail.Submit(_mail("m1"))
    assert submitted.message_id


async def test_sigterm_under_load_loses_no_call_no_record_and_no_fact(
    tiny: Start, streams: str, mongo: str, issuer: Issuer, database: Database
) -> None:
    program = tiny(KAFKA_BOOTSTRAP=streams, MONGODB_URI=mongo, WORK_SECONDS="0.2")
    await asyncio.to_thread(program.start)
    kafka = messaging.Kafka(streams)
    producer = messaging.Producer(kafka)
    await producer.start()
    sent = [f"{database.collection('x').name}-{n}-{messaging.new_id()}" for n in range(400)]
    await producer.publish(
        [
            messaging.fact(
                events_pb2.DeliveryReported(message_id=message_id, entity_id="e01"),
                id=messaging.new_id(),
                at=datetime.now(UTC),
            )
            for message_id in sent
        ]
    )
    settled = database.collection("settled")
    async with asyncio.timeout(60):
        while await settled.find_one({}) is None:
            await asyncio.sleep(0.05)

    async with calls(program, issuer) as mail:
        await mail.Resolve(RESOLVE)
        in_hand = [mail.Resolve(RESOLVE) for _ in range(20)]
        submitted = await asyncio.gather(*(mail.Submit(_mail(f"m{n}")) for n in range(20)))
        program.send(signal.SIGTERM)
        answers = await asyncio.gather(*in_hand)
    assert [answer.destination_count for answer in answers] == [1] * 20
    assert await asyncio.to_thread(program.ended) == 0
    assert "not drained in time" not in program.output()
    assert [
        d async for d in database.collection("notes").find({"outbox.at": {"$gt": datetime.fromtimestamp(0, UTC)}})
    ] == []

    settled_before = {d["_id"] async for d in settled.find({})}
    second = tiny(KAFKA_BOOTSTRAP=streams, MONGODB_URI=mongo)
    await asyncio.to_thread(second.start)
    wanted = {*sent, *(answer.message_id for answer in submitted)}
    await _holds(settled, wanted)
    twice = {d["_id"] async for d in settled.find({"times": {"$gt": 1}})}
    assert not twice & settled_before & set(sent), "what was settled before the end was committed"
    await producer.stop()


def _mail(request_id: str) -> service_pb2.SubmitRequest:
    return service_pb2.SubmitRequest(
        request_id=f"request-{request_id}",
        sender="a@e01.example.pt",
        recipients=["b@e01.example.pt"],
        content=b"Subject: x\r\n\r\n",
    )


async def _holds(settled: Collection, wanted: set[str]) -> None:
    async with asyncio.timeout(90):
        while wanted - {d["_id"] async for d in settled.find({})}:
            await asyncio.sleep(0.2)
