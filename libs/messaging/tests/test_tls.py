"""Brokers that are not open to everybody: TLS, certificates of clients, users with passwords; as in production."""

import asyncio
import io
import logging
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import uvloop
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError
from devstack import kafka as real_kafka
from devstack.kafka import Kafka as KafkaServer
from errors import Invalid, Transient
from messaging import (
    Consumer,
    DeadLetters,
    Follower,
    Kafka,
    Producer,
    Sasl,
    Tls,
    catalogue,
    ensure_topics,
    fact,
    from_environment,
    new_id,
)
from rossio.news.v1.events_pb2 import PostRetracted

PASSWORD = "correct-horse"
USER = Sasl("rossio", PASSWORD)
# aiokafka does not wait until a connection that it gives up is closed: the loop goes on, and the last test succeeds.
pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]


async def on_uvloop(main):
    """Runs it as services run, whose event loop does TLS in its own way."""

    def run():
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(asyncio.wait_for(main(), 60))

    return await asyncio.to_thread(run)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], cwd=folder, check=True, capture_output=True)

    for name in ("ca", "strange"):
        openssl("req", "-x509", "-newkey", "ed25519", "-nodes", "-days", 2, "-subj", f"/CN={name}", "-keyout",
                f"{name}.key", "-out", f"{name}.crt")  # fmt: skip
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    for name in ("broker", "client"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out",
                f"{name}.csr")  # fmt: skip
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-days", 2, "-extfile",
                "names", "-out", f"{name}.crt")  # fmt: skip
    (folder / "broker.pem").write_text((folder / "broker.key").read_text() + (folder / "broker.crt").read_text())
    return folder


@pytest.fixture(scope="module")
def server(certificates, tmp_path_factory):
    """One broker with a listener of each kind."""
    if lack := real_kafka.missing():
        pytest.skip(lack)
    login = "org.apache.kafka.common.security.{} required"
    scram, plain = login.format("scram.ScramLoginModule"), login.format("plain.PlainLoginModule")
    users = {
        f"listener.name.{listener}.{mechanism}.sasl.jaas.config": f"{scram};"
        for listener in ("users", "clear")
        for mechanism in ("scram-sha-256", "scram-sha-512")
    }
    made = KafkaServer(
        tmp_path_factory.mktemp("kafka"),
        listeners={"TLS": "SSL", "MUTUAL": "SSL", "USERS": "SASL_SSL", "CLEAR": "SASL_PLAINTEXT"},
        users={USER.username: PASSWORD, "poor": PASSWORD, "modest": PASSWORD},
        settings={
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(certificates / "broker.pem"),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(certificates / "ca.crt"),
            "listener.name.mutual.ssl.client.auth": "required",
            "listener.name.users.sasl.enabled.mechanisms": "SCRAM-SHA-512,SCRAM-SHA-256,PLAIN",
            "listener.name.clear.sasl.enabled.mechanisms": "SCRAM-SHA-512",
            **users,
            "listener.name.users.plain.sasl.jaas.config": f'{plain} user_rossio="{PASSWORD}";',
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS;User:rossio;User:CN=client",
        },
    )
    made.start()
    yield made
    made.kill()
    shutil.rmtree(made.folder / "data", ignore_errors=True)


@pytest.fixture(scope="module")
def tls(certificates):
    return Tls(certificates / "ca.crt")


@pytest.fixture(scope="module")
def shown(certificates):
    return Tls(certificates / "ca.crt", certificates / "client.crt", certificates / "client.key")


# As in the protocol's CreateAcls: on every topic Read, Write, Create, Alter, DescribeConfigs and AlterConfigs, and on
# every group Read; what docs/operations/kubernetes.md asks for.
RIGHTS = [*((2, operation) for operation in (3, 4, 5, 7, 10, 11)), (3, 3)]


async def allow(bootstrap, user):
    """Gives the user RIGHTS; aiokafka cannot."""

    def text(said):
        return struct.pack(">h", len(said)) + said.encode()

    rules = [
        struct.pack(">b", kind) + text("*") + b"\x03" + text(f"User:{user}") + text("*") + struct.pack(">bb", right, 3)
        for kind, right in RIGHTS
    ]
    request = struct.pack(">hhi", 30, 1, 0) + text("test") + struct.pack(">i", len(rules)) + b"".join(rules)
    reader, writer = await asyncio.open_connection(*bootstrap.split(":"))
    writer.write(struct.pack(">i", len(request)) + request)
    answer = await reader.readexactly(*struct.unpack(">i", await reader.readexactly(4)))
    writer.close()
    assert not any(answer[12:])  # for each rule no error, and no text to it


@pytest.mark.parametrize("name", ["rossio", "modest"])
async def test_the_clients_of_a_service_work_as_a_user_over_tls(server, tls, name):
    """Everything that a service makes of one `Kafka`; the modest user has the rights that it needs, and no other."""
    await allow(server.bootstrap, "modest")

    async def all_of_them():
        kafka = Kafka(server.address("USERS"), tls=tls, sasl=Sasl(name, PASSWORD))
        made = replace(catalogue().stream("news.post.v1"), name=f"test.{new_id()}", partitions=2, consumers=("probe",))
        other = replace(made, name=f"test.{new_id()}")
        await ensure_topics(kafka, streams=[made, other, catalogue().stream("news.post.v1")])
        await ensure_topics(kafka, streams=[replace(other, partitions=3, retention=timedelta(days=1))])
        seen: set[str] = set()
        followed: set[str] = set()
        both = asyncio.Event()

        async def handle(deliveries):
            seen.update(delivery.subject for delivery in deliveries)
            if "bad" in seen:
                raise Invalid("a letter for the dead")

        async def apply(deliveries):
            followed.update(delivery.subject for delivery in deliveries)
            both.set()

        producer, consumer = Producer(kafka), Consumer(kafka, made, "probe", {PostRetracted: handle})
        follower = Follower(kafka, ["news.post.v1"], apply)
        for part in (producer, consumer, follower):
            await part.start()
        facts = [fact(PostRetracted(post_id=post), id=new_id(), at=datetime.now(UTC)) for post in ("a", "b", "bad")]
        await producer.publish(facts[:1])  # by FastStream
        await producer.publish([replace(each, topic=made.name) for each in facts])
        await both.wait()
        letters = DeadLetters(kafka, made, "probe")
        while not await letters.list():
            await asyncio.sleep(0.05)
        for part in (follower, consumer, producer):
            await part.stop()
        return seen, followed

    seen, followed = await on_uvloop(all_of_them)
    assert seen == {"a", "b", "bad"}
    assert "a" in followed


async def works(kafka):
    producer = Producer(kafka)
    await producer.start()
    await producer.stop()


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "PLAIN"])
async def test_a_user_may_prove_itself_in_other_ways(server, tls, mechanism):
    await works(Kafka(server.address("USERS"), tls=tls, sasl=replace(USER, mechanism=mechanism)))


async def test_a_password_goes_without_tls_on_purpose_alone(server):
    with pytest.raises(Invalid, match="on purpose"):
        Kafka(server.address("CLEAR"), sasl=USER)
    await works(Kafka(server.address("CLEAR"), sasl=replace(USER, without_tls=True)))


async def test_tls_alone_works_and_so_does_a_certificate(server, tls, shown):
    await works(Kafka(server.address("TLS"), tls=tls))
    await works(Kafka(server.address("MUTUAL"), tls=shown))


WRONG = {
    "a wrong password": ("USERS", "tls", Sasl("rossio", "wrong"), "does not take this user and password"),
    "a wrong password by PLAIN": ("USERS", "tls", Sasl("rossio", "wrong", "PLAIN"), "does not take this user and pass"),
    "an unknown user": ("USERS", "tls", Sasl("nobody", PASSWORD), "does not take this user and password"),
    "no user": ("USERS", "tls", None, "wants a user and password at this port: set KAFKA_SASL_MECHANISM"),
    "no user, in clear": ("CLEAR", None, None, "wants a user and password at this port: set KAFKA_SASL_MECHANISM"),
    "a user where none is asked for": ("TLS", "tls", USER, "wants no user and password at this port"),
    "a mechanism that is not offered": (
        "CLEAR", None, Sasl("rossio", PASSWORD, "PLAIN", without_tls=True), "does not offer the mechanism at this"),
    "an authority that is not theirs": ("USERS", "strange", USER, "shows a certificate that is not to be trusted"),
    "the authorities of this machine": ("TLS", "", None, "shows a certificate that is not to be trusted"),
    "no certificate": ("MUTUAL", "tls", None, "does not take the certificate that it is shown, or misses one"),
    "clear text where TLS is spoken": ("TLS", None, None, "speaks TLS at this port: set KAFKA_TLS"),
    "TLS where it is not spoken": ("PLAINTEXT", "tls", None, "does not speak TLS at this port"),
}  # fmt: skip


async def refused(server, certificates, case):
    listener, trusted, sasl, said = WRONG[case]
    files = {None: None, "tls": Tls(certificates / "ca.crt"), "strange": Tls(certificates / "strange.crt"), "": Tls()}
    address = server.bootstrap if listener == "PLAINTEXT" else server.address(listener)
    with pytest.raises(Transient) as caught:
        await Producer(Kafka(address, tls=files[trusted], sasl=sasl)).start()
    assert caught.value.reason == "KAFKA_REFUSES"
    assert str(caught.value).startswith(f"Kafka at {address} {said}")
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize("case", WRONG)
async def test_a_broker_that_does_not_take_a_client_is_said_with_what_to_set(server, certificates, case):
    await refused(server, certificates, case)


async def test_the_event_loop_of_services_tells_it_too(server, tls, certificates):
    async def each():
        for case in WRONG:
            await refused(server, certificates, case)
        await works(Kafka(server.address("USERS"), tls=tls, sasl=USER))

    await on_uvloop(each)


async def test_every_client_says_it(server, tls):
    kafka = Kafka(server.address("USERS"), tls=tls, sasl=Sasl("rossio", "wrong"))

    async def handle(deliveries):
        pass

    tried = (
        Consumer(kafka, "news.post.v1", "notification", {PostRetracted: handle}).start,
        Follower(kafka, ["news.post.v1"], handle).start,
        DeadLetters(kafka, "news.post.v1", "notification").list,
        lambda: ensure_topics(kafka),
    )
    for start in tried:
        with pytest.raises(Transient, match="does not take this user and password"):
            await start()


async def test_a_user_without_rights_is_named(server, tls):
    kafka = Kafka(server.address("USERS"), tls=tls, sasl=Sasl("poor", PASSWORD))
    stream = replace(catalogue().stream("news.post.v1"), name=f"test.{uuid.uuid4().hex}")
    with pytest.raises(Transient, match="does not let its user poor do this: rights are missing") as caught:
        await ensure_topics(kafka, streams=[stream])
    assert caught.value.reason == "KAFKA_REFUSES"


async def test_nobody_at_the_address_is_said_as_before(tls):
    with pytest.raises(Transient, match=r"^Kafka does not answer$") as caught:
        await Producer(Kafka("127.0.0.1:1", tls=tls, sasl=USER)).start()
    assert caught.value.reason == "KAFKA_DOWN"


async def test_a_renewed_certificate_holds_for_the_next_connection(server, certificates, tmp_path):
    authority = tmp_path / "ca.crt"
    shutil.copy(certificates / "strange.crt", authority)
    arguments = Kafka(server.address("TLS"), tls=Tls(authority)).producer()
    client = AIOKafkaProducer(**arguments)
    with pytest.raises(KafkaConnectionError):
        await client.start()
    await client.stop()
    authority.write_text("-----BEGIN")  # half of it
    broken = AIOKafkaProducer(**arguments)
    with pytest.raises(KafkaConnectionError):
        await broken.start()
    await broken.stop()
    shutil.copy(certificates / "ca.crt", authority)
    client = AIOKafkaProducer(**arguments)
    await client.start()
    await client.stop()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_a_client_that_stops_does_not_wait_for_a_broker_that_does_not_close(certificates, tls, loop):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates / "broker.pem")
    left = threading.Event()

    def accept():
        with context.wrap_socket(listening.accept()[0], server_side=True):
            left.wait(60)

    async def leave():
        _, writer = await asyncio.open_connection(*listening.getsockname(), ssl=tls.context())
        writer.close()
        await asyncio.wait_for(writer.wait_closed(), 20)  # of 30 that event loops wait

    with socket.create_server(("127.0.0.1", 0)) as listening:
        peer = threading.Thread(target=accept)
        peer.start()
        try:
            await (leave() if loop == "asyncio" else on_uvloop(leave))
        finally:
            left.set()
            peer.join()


async def test_no_log_and_no_text_shows_the_password(server, tls):
    kafka = Kafka(server.address("USERS"), tls=tls, sasl=replace(USER, mechanism="PLAIN"))
    assert PASSWORD not in repr(kafka)
    heard = io.StringIO()
    handler, root = logging.StreamHandler(heard), logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        await works(kafka)
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
    assert "Authenticated as rossio via PLAIN" in heard.getvalue()
    assert PASSWORD not in heard.getvalue()


async def test_a_tool_is_told_by_the_variables_that_services_read(server, certificates, monkeypatch):
    for name, value in {
        "ROSSIO_KAFKA_TLS": "true",
        "KAFKA_TLS_AUTHORITY": certificates / "ca.crt",
        "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "KAFKA_SASL_USERNAME": "rossio",
        "KAFKA_SASL_PASSWORD": PASSWORD,
    }.items():
        monkeypatch.setenv(name, str(value))
    await works(from_environment(server.address("USERS")))
