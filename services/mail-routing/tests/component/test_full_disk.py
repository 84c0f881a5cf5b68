"""Real full disks: of the content and the mailboxes, of the store, of the broker. What was taken is not lost by them,
what was not is refused with a 4xx and is nowhere, and both go on by themselves when there is room.

The disks are small ones of their own (tmpfs), which only root may mount.
"""

import asyncio
import os
import shutil
import smtplib
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import messaging
import pytest
import store
from devstack.issuer import Issuer
from devstack.kafka import Kafka, fetch
from devstack.mongo import Mongo
from devstack.services import Surroundings
from errors import Transient
from rossio.mail.v1 import rules_pb2
from rossio.mail.v1.queue_pb2_grpc import QueueServiceStub
from testkit.small_disk import NoDisk, SmallDisk, small_disk

from .asking import admin, change, entries, rule, ruled  # type: ignore[import-not-found]  # "mail-routing" is no module name
from .conftest import (  # type: ignore[import-not-found]
    CROWD,
    TRUSTED,
    Mail,
    Sink,
    address,
    calling,
    mail_routing,
    make_all_due,
    marker,
    publish_directory,
    sinking,
    until,
)

ANA, RUI, EVA = "mr-ana", "mr-rui", "mr-eva"
MEGABYTE = 1024
LARGE = b"0123456789abcd\r\n" * 40_000
"""More than travels in a record, so that it goes into the blob store."""


WAITING = 'rossio_messaging_waiting_lanes{group="mail-routing",stream="mail.message.v1"}'


def mounted(stack: ExitStack, folder: Path, kilobytes: int) -> SmallDisk:
    try:
        return stack.enter_context(small_disk(folder, kilobytes))
    except NoDisk as lack:
        pytest.skip(str(lack))


def content(mark: bytes, body: bytes = b"hello\r\n") -> bytes:
    return b"From: ana\r\nX-Mark: " + mark + b"\r\n\r\n" + body


@pytest.fixture
def small(
    streams: str, mongo: str, issuer: Issuer, tmp_path: Path, certificate: Path
) -> Iterator[tuple[Mail, SmallDisk]]:
    """mail-routing whose content and mailboxes lie on a small disk."""
    asyncio.run(publish_directory(streams))
    surroundings = Surroundings(streams, mongo, issuer, database_prefix=f"test_{uuid4().hex}_")
    mail = mail_routing(tmp_path / "mail", surroundings, certificate)
    with ExitStack() as stack:
        disk = mounted(stack, mail.program.folder / "data", 64 * MEGABYTE)
        mail.program.start()
        stack.callback(mail.program.kill)
        yield mail, disk


async def test_content_that_has_no_room_is_refused_and_nothing_half_of_it_is_left(
    small: tuple[Mail, SmallDisk],
) -> None:
    mail, disk = small
    mark, other = marker(), marker()
    lying, opened = files(disk.folder / "blobs"), open_files(mail)
    async with sinking(mail.sink_port) as sink:
        disk.fill()
        for _ in range(5):
            with pytest.raises(smtplib.SMTPDataError) as refused:
                await asyncio.to_thread(mail.send, address(ANA), [address(RUI)], content(mark, LARGE), TRUSTED)
            assert (refused.value.smtp_code, refused.value.smtp_error[:5]) == (452, b"4.3.1")
        # What needs no room goes on.
        await asyncio.to_thread(mail.send, address(ANA), ["x@sink.test"], content(other), TRUSTED)
        await until(lambda: sink.with_marker(other))
        assert files(disk.folder / "blobs") == lying
        assert open_files(mail) == opened
        disk.free()
        await asyncio.to_thread(mail.send, address(ANA), [address(RUI)], content(mark, LARGE), TRUSTED)
        assert (await mail.letter(RUI, mark)).endswith(content(mark, LARGE))


async def test_mailboxes_without_room_have_their_mail_once_there_is_some(small: tuple[Mail, SmallDisk]) -> None:
    """And a mail to more than a thousand, whose content the worker has to put into the blob store first."""
    mail, disk = small
    mark, many = marker(), marker()
    disk.fill()
    await asyncio.to_thread(mail.send, address(ANA), [address(RUI), address(EVA)], content(mark), TRUSTED)
    await asyncio.to_thread(mail.send, address(ANA), ["everybody@mr-c.test"], content(many), TRUSTED)
    await until(lambda: mail.program.metric('rossio_mail_outcomes_total{lane="normal",outcome="deferred"}') >= 2)
    assert not mail.letters(RUI, mark)
    disk.free()
    await make_all_due(mail)
    for person in (RUI, EVA):
        assert (await mail.letter(person, mark)).endswith(content(mark))
    crowd = [f"mr-c{n}" for n in range(CROWD)]
    async with asyncio.timeout(120):
        while not all(mail.letters(one, many) for one in crowd):
            await make_all_due(mail)
            await asyncio.sleep(0.5)
    assert all(len(mail.letters(one, many)) == 1 for one in crowd)


async def test_what_is_kept_back_or_held_on_a_full_disk_arrives_once_it_is_let_go_and_there_is_room(
    small: tuple[Mail, SmallDisk], issuer: Issuer
) -> None:
    """A small mail that was kept back when there was no room, a large one that was before, and one that is held."""
    mail, disk = small
    little, large, held = marker(), marker(), marker()

    def deferred() -> float:
        return float(mail.program.metric('rossio_mail_outcomes_total{lane="normal",outcome="deferred"}'))

    async def send(mark: bytes, to: str, body: bytes = b"hello\r\n") -> None:
        await asyncio.to_thread(mail.send, address(ANA), [address(to)], content(mark, body), TRUSTED)

    async with calling(mail, issuer) as caller, calling(mail, issuer, QueueServiceStub) as asking:
        stub, queue = admin(caller), admin(asking)

        async def kept(count: int) -> list[rules_pb2.QuarantinedMail]:
            page = await stub.ListQuarantine(rules_pb2.ListQuarantineRequest(page_size=100))
            return list(page.mails) if len(page.mails) == count else []

        async with ruled(caller, rule("back", {"recipient": "mr-rui@*"}, ("quarantine", "looks dangerous"))):
            await send(large, RUI, LARGE)
            await until(lambda: kept(1))
            disk.fill()
            await send(little, RUI)
            both = await until(lambda: kept(2))
        before = deferred()
        await send(held, EVA)
        await until(lambda: deferred() > before)
        (entry,) = await entries(queue)
        await change(queue, "HOLD", entry.queue_id)
        before = deferred()
        for each in both:
            released = rules_pb2.ReleaseQuarantinedRequest(request_id=uuid4().hex, quarantine_id=each.quarantine_id)
            await stub.ReleaseQuarantined(released)
        await until(lambda: deferred() == before + 2)
        disk.free()
        await make_all_due(mail)
        assert (await mail.letter(RUI, little)).endswith(content(little))
        assert (await mail.letter(RUI, large)).endswith(content(large, LARGE))
        assert not mail.letters(EVA, held)
        await change(queue, "RELEASE", entry.queue_id)
        assert (await mail.letter(EVA, held)).endswith(content(held))


@dataclass
class Servers:
    """mail-routing beside a broker and a store that lie on small disks of their own."""

    mail: Mail
    kafka: Kafka
    kafka_disk: SmallDisk
    mongo: Mongo
    mongo_disk: SmallDisk


@pytest.fixture
def servers(issuer: Issuer, tmp_path: Path, certificate: Path) -> Iterator[Servers]:
    with ExitStack() as stack:
        kafka, mongo = Kafka(tmp_path / "kafka"), Mongo(tmp_path / "mongo")
        kafka_disk = mounted(stack, tmp_path / "kafka-disk", 256 * MEGABYTE)
        kafka.folder.mkdir()
        shutil.copytree(fetch() / "formatted", kafka_disk.folder / "log")
        (kafka.folder / "data").symlink_to(kafka_disk.folder / "log")
        mongo_disk = mounted(stack, mongo.folder / "data", 256 * MEGABYTE)
        for server in (kafka, mongo):
            server.start()
            stack.callback(server.kill)
        asyncio.run(messaging.ensure_topics(kafka.bootstrap))
        asyncio.run(publish_directory(kafka.bootstrap))
        mail = mail_routing(tmp_path / "mail", Surroundings(kafka.bootstrap, mongo.uri, issuer), certificate)
        mail.program.start()
        stack.callback(mail.program.kill)
        yield Servers(mail, kafka, kafka_disk, mongo, mongo_disk)


async def handed_in(mail: Mail, count: int, to: list[str]) -> tuple[list[bytes], list[bytes]]:
    """Marks of mails: of those that were answered with 250, and with 451."""
    taken: list[bytes] = []
    refused: list[bytes] = []

    def one() -> None:
        mark = marker()
        client = mail.client(TRUSTED)  # which waits for 30 s, where RFC 5321 asks for minutes
        client.ehlo()
        client.mail(address(ANA))
        for each in to:
            client.rcpt(each)
        code, said = client.data(content(mark, LARGE[:32_000]))
        client.close()
        assert code == 250 or (code, said[:5]) == (451, b"4.3.0")
        (taken if code == 250 else refused).append(mark)

    await asyncio.gather(*(asyncio.to_thread(one) for _ in range(count)))
    return taken, refused


async def fill_store(servers: Servers) -> None:
    """Until it takes nothing at all: it has made room for a little ahead."""
    servers.mongo_disk.fill()
    database = store.connect(servers.mongo.uri, "filler")
    filler = database.collection("filler")
    with suppress(Transient):
        while True:
            with suppress(Transient):
                await filler.insert({"_id": marker(), "v": os.urandom(200_000)})
            await filler.get("none")
    await database.close()


async def test_a_store_without_room_holds_mail_up_and_loses_none(servers: Servers) -> None:
    mail = servers.mail
    await fill_store(servers)
    taken, refused = await handed_in(mail, 30, [address(RUI)])
    assert not refused, "what is durable in the broker is taken"
    await until(lambda: mail.program.metric(WAITING))
    servers.mongo_disk.free()
    # MongoDB ends at such a failure; the embedded store has to be told to.
    servers.mongo.kill()
    await asyncio.to_thread(servers.mongo.start)
    database = store.connect(servers.mongo.uri, "rossio_mail_routing")

    async def recorded() -> int:
        return len([found async for found in database.collection("deliveries").find({}, projection={"_id": True})])

    async with asyncio.timeout(120):
        while await recorded() < len(taken):
            await asyncio.sleep(0.2)
    await database.close()
    assert {len(mail.letters(RUI, mark)) for mark in taken} == {1}
    letters = messaging.DeadLetters(servers.kafka.bootstrap, "mail.message.v1", "mail-routing")
    assert await letters.list() == []


async def test_a_broker_without_room_takes_nothing_and_loses_nothing(servers: Servers) -> None:
    mail, disk, to = servers.mail, servers.kafka_disk, [address(RUI), "x@sink.test"]
    async with sinking(mail.sink_port) as sink:
        taken, _ = await handed_in(mail, 10, to)
        disk.fill()
        none, refused = await handed_in(mail, 10, to)
        assert (len(none), len(refused)) == (0, 10)
        disk.free()
        servers.kafka.kill()  # without its disk it serves nobody, whether it has ended or not
        await asyncio.to_thread(servers.kafka.start)
        late: list[bytes] = []
        async with asyncio.timeout(120):
            while not late:
                late, _ = await handed_in(mail, 1, to)
        await delivered(mail, sink, taken + late)
    for mark in refused:  # its answer left open whether it is in: whole or not at all
        assert len(mail.letters(RUI, mark)) == len(sink.with_marker(mark)) <= 1


async def delivered(mail: Mail, sink: Sink, marks: list[bytes]) -> None:
    """Each of the mails is once in the mailbox, and at the next hop."""
    async with asyncio.timeout(180):
        while not all(mail.letters(RUI, mark) and sink.with_marker(mark) for mark in marks):
            await make_all_due(mail)
            await asyncio.sleep(0.5)
    assert {len(mail.letters(RUI, mark)) for mark in marks} == {1}


def files(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file() and "locks" not in path.parts}


def open_files(mail: Mail) -> list[str]:
    """What the program holds open on its disk."""
    held: list[str] = []
    for entry in Path(f"/proc/{mail.program.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            held.append(str(entry.readlink()))
    return sorted(name for name in held if "/data/" in name)
