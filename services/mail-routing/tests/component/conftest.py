"""The service as a program on a real Kafka and store, a small ministry, and people who use it."""

import asyncio
import json
import shutil
import smtplib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import store
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from devstack.issuer import Issuer
from devstack.program import free_port
from devstack.services import SERVICES, ServiceProgram, Surroundings
from google.protobuf.message import Message
from mail_routing.adapters.documents import DUE
from mail_routing.entrypoints.smtp.actions import Judge, Transaction
from mail_routing.entrypoints.smtp.grammar import MailFrom, Reply
from mail_routing.entrypoints.smtp.server import Client, SmtpServer
from rossio.directory.v1 import directory_pb2, events_pb2
from rossio.mail.v1.service_pb2_grpc import MailServiceStub
from testkit.plugin import dialling
from testkit.polling import until
from testkit.streams import publish

HOSTNAME = "mx.rossio.test"
TRUSTED = "127.0.0.2"
"""The source address of clients that may relay; 127.0.0.1 is anybody."""

PEOPLE = {"mr-ana": "mr-a", "mr-rui": "mr-a", "mr-eva": "mr-b", "mr-nuno": "mr-b", "mr-dora": "mr-d", "mr-fred": "mr-b"}
"""Person -> entity; `<person>@<entity>.test` is the address."""
FORWARDS = {"mr-fred": ["mr-rui@mr-a.test", "fred@sink.test"]}
CROWD = 1500
"""People of mr-c, all of them in the list everybody@mr-c.test."""


def address(person_id: str) -> str:
    return f"{person_id}@{PEOPLE[person_id]}.test"


def directory() -> Iterator[Message]:
    for entity_id in ("mr-a", "mr-b", "mr-c", "mr-d"):
        yield events_pb2.EntityChanged(
            entity=directory_pb2.Entity(entity_id=entity_id, name=entity_id, domains=[f"{entity_id}.test"], version=1)
        )
    crowd = {f"mr-c{n}": "mr-c" for n in range(CROWD)}
    for number, (person_id, entity_id) in enumerate((PEOPLE | crowd).items(), start=300_001):
        yield events_pb2.PersonChanged(
            person=directory_pb2.Person(
                person_id=person_id,
                number=number,
                entity_id=entity_id,
                addresses=[f"{person_id}@{entity_id}.test", f"alias.{person_id}@{entity_id}.test"],
                state=directory_pb2.PERSON_STATE_ACTIVE,
                forward_to=FORWARDS.get(person_id, ()),
                version=1,
            )
        )
    yield group("mr-team", [{"person_id": "mr-rui"}, {"group_id": "mr-inner"}])
    yield group("mr-inner", [{"person_id": "mr-eva"}, {"group_id": "mr-team"}, {"person_id": "mr-rui"}])
    yield group("mr-board", [{"person_id": "mr-eva"}], sender_group_ids=["mr-inner"])
    yield group("mr-desk", [{"person_id": "mr-eva"}], mailbox=True)
    yield group("mr-everybody", [], expression='entity = "mr-c"', addresses=["everybody@mr-c.test"])
    judges = [{"person_id": "mr-eva"}, {"group_id": "mr-judges"}]
    yield group("mr-judges", [{"person_id": "mr-dora"}], addresses=[])
    yield group("mr-known", [{"person_id": "mr-nuno"}], addresses=[])
    digest = [{"person_id": "mr-rui"}, {"person_id": "mr-c1"}, {"address": "reader@sink.test"}]
    yield group("mr-digest", digest, moderators=[{"group_id": "mr-judges"}])
    news = [{"person_id": "mr-rui"}, {"person_id": "mr-nuno"}, {"group_id": "mr-digest"}]
    yield group("mr-news", news, moderators=judges, unmoderated_senders=[{"group_id": "mr-known"}])
    yield group("mr-around", [{"person_id": "mr-c2"}, {"group_id": "mr-news"}])
    yield group("mr-crowd", [], expression='entity = "mr-c"', moderators=judges)


def group(group_id: str, members: list[dict[str, str]], **more: Any) -> Message:
    said = {"addresses": [f"{group_id}@mr-a.test"], **more}
    made = directory_pb2.Group(
        group_id=group_id,
        entity_id="mr-a",
        name=group_id,
        members=[directory_pb2.Member(**member) for member in members],
        version=1,
        **said,
    )
    return events_pb2.GroupChanged(group=made)


async def publish_directory(bootstrap: str) -> None:
    await publish(bootstrap, directory())


@dataclass
class Mail:
    """A running mail-routing, and where its mail goes."""

    program: ServiceProgram
    sink_port: int
    certificate: Path
    postfix_port: int = 0

    @property
    def smtp(self) -> tuple[str, int]:
        host, _, port = self.program.addresses["SMTP_ADDRESS"].rpartition(":")
        return host, int(port)

    @property
    def submission(self) -> tuple[str, int]:
        host, _, port = self.program.settings["SUBMISSION_ADDRESS"].rpartition(":")
        return host, int(port)

    @property
    def submissions(self) -> tuple[str, int]:
        host, _, port = self.program.settings["SUBMISSIONS_ADDRESS"].rpartition(":")
        return host, int(port)

    @property
    def maildirs(self) -> Path:
        return self.program.folder / "data" / "maildirs"

    def client(self, source: str = "127.0.0.1") -> smtplib.SMTP:
        return smtplib.SMTP(*self.smtp, local_hostname="client.test", timeout=30, source_address=(source, 0))

    def send(self, sender: str, to: list[str], content: bytes, source: str = "127.0.0.1") -> dict[str, Any]:
        with closing(self.client(source)) as client:
            return client.sendmail(sender, to, content)

    def letters(self, person_id: str, marker: bytes) -> list[bytes]:
        """The mails with the marker that are in somebody's mailbox now."""
        box = self.maildirs / (PEOPLE.get(person_id) or "mr-c") / person_id / "new"
        found = [path.read_bytes() for path in box.glob("*")] if box.is_dir() else []
        return [letter for letter in found if marker in letter]

    async def letter(self, person_id: str, marker: bytes) -> bytes:
        """The one mail with the marker, once it is there."""
        await until(lambda: self.letters(person_id, marker))
        (found,) = self.letters(person_id, marker)
        return found


_ANSWERED_IN_TIME = 500
"""Changes of a bulk that a store on a busy machine still answers within its driver's time."""


async def make_all_due(mail: Mail) -> int:
    """What the clock does: claims of the dead run out, and waits end. Returns how many shards wait."""
    environment = mail.program.environment()
    database = store.connect(environment["MONGODB_URI"], environment["MONGODB_DATABASE"])
    deliveries = database.collection("deliveries")
    past = datetime.now(UTC) - timedelta(minutes=1)
    count = 0
    for name in DUE.values():
        some = {name: {"$gt": datetime.fromtimestamp(0, UTC)}}
        waiting = [found["_id"] async for found in deliveries.find(some, projection={"_id": True})]
        changes = [store.Change(one, {"$set": {name: past}, "$inc": {"version": 0}}) for one in waiting]
        for begin in range(0, len(changes), _ANSWERED_IN_TIME):
            await deliveries.bulk(changes[begin : begin + _ANSWERED_IN_TIME])
        count += len(waiting)
    await database.close()
    return count


def marker() -> bytes:
    return uuid4().hex.encode()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 in cert.pem, its key in key.pem beside it."""
    return make_certificate(tmp_path_factory.mktemp("tls"))


def make_certificate(folder: Path, number: int = 1) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOSTNAME)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(number)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOSTNAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*form))
    return folder / "cert.pem"


def settings(sink_port: int, certificate: Path, postfix_port: int) -> dict[str, str]:
    return {
        "SMTP_HOSTNAME": HOSTNAME,
        "SMTP_TLS_CERTIFICATE": str(certificate),
        "SMTP_TLS_KEY": str(certificate.with_name("key.pem")),
        "SUBMISSION_ADDRESS": f"127.0.0.1:{free_port()}",
        "SUBMISSIONS_ADDRESS": f"127.0.0.1:{free_port()}",
        "SMTP_RATES": json.dumps({"sender": {"mails": 10_000}, "principal": {"recipients": 100}}),
        "SMTP_REPLICAS": "2",  # of which this one is alone: it allows half
        "TRUSTED_NETWORKS": json.dumps([f"{TRUSTED}/32"]),
        "NEXT_HOPS": json.dumps(
            {
                "sink.test": f"127.0.0.1:{sink_port}",
                "dead.test": "127.0.0.1:1",
                "postfix.test": f"127.0.0.1:{postfix_port}",
            }
        ),
        "SERVICE_SENDERS": json.dumps({"notification": ["no-reply@*"]}),
    }


def mail_routing(folder: Path, surroundings: Surroundings, certificate: Path) -> Mail:
    (kind,) = (service for service in SERVICES if service.name == "mail-routing")
    sink_port, postfix_port = free_port(), free_port()
    program = ServiceProgram(kind, folder, surroundings, settings=settings(sink_port, certificate, postfix_port))
    return Mail(program, sink_port, certificate, postfix_port)


@pytest.fixture(scope="module")
def own_settings() -> dict[str, str]:
    """What a module's `mail` is told besides; a module that wants something has a fixture of this name."""
    return {}


@pytest.fixture(scope="module")
def mail(
    streams: str,
    mongo: str,
    issuer: Issuer,
    tmp_path_factory: pytest.TempPathFactory,
    certificate: Path,
    own_settings: dict[str, str],
) -> Iterator[Mail]:
    """mail-routing for the tests of one module, in a database of its own; its ministry is on the streams."""
    asyncio.run(publish_directory(streams))
    surroundings = Surroundings(streams, mongo, issuer, database_prefix=f"test_{uuid4().hex}_")
    made = mail_routing(tmp_path_factory.mktemp("mail"), surroundings, certificate)
    made.program.settings |= own_settings
    made.program.start()
    yield made
    made.program.kill()
    shutil.rmtree(made.maildirs, ignore_errors=True)


@dataclass
class Sink:
    """The next hop of sink.test; `replies` answer recipients by address."""

    replies: dict[str, Reply] = field(default_factory=dict)
    mails: list[tuple[str, list[str], bytes]] = field(default_factory=list)

    def judge_of(self, client: str) -> Judge:
        return self

    def sender(self, mail: MailFrom) -> Reply | None:
        return None

    def recipient(self, mail: MailFrom, address: str) -> Reply | None:
        return self.replies.get(address)

    async def take(self, transaction: Transaction, client: Client) -> Reply:
        self.mails.append((transaction.mail.sender, list(transaction.recipients), bytes(transaction.content)))
        return Reply(250, "2.0.0", "kept")

    def with_marker(self, marker: bytes) -> list[tuple[str, list[str], bytes]]:
        return [mail for mail in self.mails if marker in mail[2]]


@asynccontextmanager
async def sinking(port: int, **replies: Reply) -> AsyncIterator[Sink]:
    sink = Sink(dict(replies))
    server = SmtpServer(f"127.0.0.1:{port}", "sink.test", sink.take, sink.judge_of)
    await server.start()
    try:
        yield sink
    finally:
        await server.stop()


As = Callable[..., Any]


@asynccontextmanager
async def calling(mail: Mail, issuer: Issuer, stub: Callable[[Any], Any] = MailServiceStub) -> AsyncIterator[As]:
    """`speak(subject, entity=..., roles=..., kind=...)` is a stub of the service for that principal."""
    async with dialling(issuer) as dial:

        def speak(subject: str, *, entity: str = "", **claims: Any) -> Any:
            return stub(dial(mail.program, subject, entity=entity or PEOPLE.get(subject, ""), **claims))

        yield speak


@pytest.fixture
async def caller(mail: Mail, issuer: Issuer) -> AsyncIterator[As]:
    async with calling(mail, issuer) as speak:
        yield speak
