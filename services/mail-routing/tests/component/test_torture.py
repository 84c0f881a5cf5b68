"""Nothing lost, nothing twice: killed at every point between two effects, with failing handlers and poison.

What is told to the client decides: a mail that was answered with 250 is, for each recipient, in one mailbox, at
the next hop or bounced once, and a mail without an answer is whole or not at all. A next hop may get a mail twice,
when the process dies between its 250 and our record: SMTP has no way to ask (RFC 5321 section 4.5.4, RFC 1047).
"""

import asyncio
import json
import os
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import messaging
import pytest
import store
from devstack.issuer import Issuer
from devstack.kafka import Kafka
from devstack.mongo import Mongo
from devstack.program import free_port, listens
from devstack.services import ServiceProgram, Surroundings
from mail_routing.entrypoints.smtp.grammar import Reply
from rossio.mail.v1 import events_pb2
from testkit.small_disk import NoDisk, SmallDisk, small_disk

from .conftest import (  # type: ignore[import-not-found]  # "mail-routing" is no module name
    Mail,
    Sink,
    address,
    mail_routing,
    make_all_due,
    publish_directory,
    sinking,
)
from .ledger import EVERYBODY, Ends, Ledger, mixes, people, relayed  # type: ignore[import-not-found]

MAILS = int(os.environ.get("TORTURE_MAILS", "480"))
"""About how many are sent: `make torture-mail MAILS=20000`."""
_SCALE = max(1, MAILS // 480)
_SENDERS = 1 if _SCALE == 1 else 8
POINTS = {
    "mail.accept.stored": 5,
    "mail.accept.durable": 5,
    "mail.maildir.written": 5,
    "mail.maildir.delivered": 5,
    "mail.attempt.done": 5,
    "mail.store.inserted": 3,
    "mail.deliver.recorded": 5,
    "messaging.relay.published": 2,
    "mail.deliver.planned": 1,
    "mail.resume.claimed": 1,
    "mail.resume.released": 1,
    "mail.resume.recorded": 1,
}
"""Point -> at which of its passings the process dies; so many times later where more mails are sent."""
MAILS_A_POINT = 40 * _SCALE
DISK_KILOBYTES = 8 * 1024 * 1024
"""Of what content and mailboxes lie on: a disk of its own where that may be mounted, so that it can be full."""
DROP_PORT = free_port()


class Unmounted(UserWarning):
    """No disk of its own can be had here."""


class Dropping:
    """The next hop of drop.test: the first time it has a mail it drops the connection in place of a reply."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.dropped: set[bytes] = set()
        self.kept: Counter[bytes] = Counter()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._talk, "127.0.0.1", self.port)
        try:
            yield
        finally:
            server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            writer.write(b"220 drop.test\r\n")
            while line := await reader.readline():
                if line != b"DATA\r\n":
                    writer.write(b"250 ok\r\n")
                    continue
                writer.write(b"354 go\r\n")
                content = await reader.readuntil(b"\r\n.\r\n")
                mark = content.partition(b"X-Mark: ")[2].split()[0]
                if mark not in self.dropped:
                    self.dropped.add(mark)
                    break
                self.kept[mark] += 1
                writer.write(b"250 kept\r\n")
        writer.close()


class Failing(ServiceProgram):
    """mail-routing with failing handlers."""

    def command(self) -> list[str]:
        return [*super().command()[:1], str(Path(__file__).with_name("failing_main.py"))]


async def traffic(mail: Mail, wanted: Iterator[list[str]], ledger: Ledger, count: int = MAILS_A_POINT) -> None:
    """So many mails at most, as long as the program lives."""
    some = iter(range(count))

    async def one_client() -> None:
        for _ in some:
            if mail.program.exit_code is not None:
                return
            await asyncio.to_thread(ledger.send, mail, next(wanted))

    await asyncio.gather(*(one_client() for _ in range(_SENDERS)))


async def killed_at(point: str, mail: Mail, wanted: Iterator[list[str]], ledger: Ledger) -> None:
    late = "resume" in point or "planned" in point
    mail.program.settings["ROSSIO_KILL_AT"] = f"{point}:{POINTS[point] * (1 if late else _SCALE)}"
    await asyncio.to_thread(mail.program.launch)
    async with asyncio.timeout(90 + MAILS_A_POINT / 5):
        # What waits is taken up at once, so the process may be dead before it listens.
        while mail.program.exit_code is None and not listens(mail.smtp[1]):
            await asyncio.sleep(0.05)
        if late and mail.program.exit_code is None:
            await asyncio.to_thread(ledger.send, mail, [EVERYBODY])
        await traffic(mail, wanted, ledger)
        while mail.program.exit_code is None:
            await asyncio.sleep(0.05)
    assert f"killed at {point}" in mail.program.output()


async def servers_die(mail: Mail, servers: tuple[Kafka, Mongo], wanted: Iterator[list[str]], ledger: Ledger) -> None:
    """Broker and store are killed and started again while mail comes in; the program stays."""
    await asyncio.to_thread(mail.program.start)
    left = (MAILS - len(ledger.taken)) // (len(servers) + 1)
    ledger.servers_die = True
    for server in servers:
        flow = asyncio.create_task(traffic(mail, wanted, ledger, max(left, MAILS_A_POINT)))
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await flow
        assert mail.program.exit_code is None
    ledger.servers_die = False


async def disk_fills(mail: Mail, wanted: Iterator[list[str]], ledger: Ledger) -> None:
    """No mailbox can be written for a while; what is for one then waits, and is not bounced."""
    data, pretended = mail.program.folder / "data", Path(mail.program.settings["FULL_DISK"])
    disk = SmallDisk(data, DISK_KILOBYTES) if data.is_mount() else None
    if disk is not None:
        disk.fill()
    else:
        pretended.touch()
    left = MAILS - len(ledger.taken)
    await traffic(mail, wanted, ledger, max(left, MAILS_A_POINT))
    async with asyncio.timeout(60 + MAILS_A_POINT / 5):
        while not await waiting_for_room(mail):
            await asyncio.sleep(0.5)
    if disk is not None:
        disk.free()
    pretended.unlink(missing_ok=True)


async def waiting_for_room(mail: Mail) -> int:
    environment = mail.program.environment()
    database = store.connect(environment["MONGODB_URI"], environment["MONGODB_DATABASE"])
    some = {"due": {"$gt": datetime.fromtimestamp(0, UTC)}}
    found = database.collection("deliveries").find(some, projection={"deliveries.status": True})
    count = sum([any(d["status"] == "4.3.1" for d in each["deliveries"]) async for each in found])
    await database.close()
    return count


async def states(mail: Mail) -> dict[str, Counter[str]]:
    """message id -> how many recipients are in each state, from the store."""
    environment = mail.program.environment()
    database = store.connect(environment["MONGODB_URI"], environment["MONGODB_DATABASE"])
    counts: dict[str, Counter[str]] = {}
    released = {"_id": True, "version": True, "number": True, "message_id": True, "plan": True, "deliveries": True}
    async for found in database.collection("deliveries").find({}, projection=released):
        if found["number"] and found["version"] == 1:
            continue  # of an expansion that did not count, and is never delivered
        counts.setdefault(found["message_id"], Counter()).update(d["state"] for d in found["deliveries"])
    await database.close()
    return counts


async def told(bootstrap: str) -> "dict[str, dict[str, events_pb2.DeliveryState.ValueType]]":
    """message id -> address -> the state in which the facts leave it."""
    last: dict[str, dict[str, events_pb2.DeliveryState.ValueType]] = {}

    async def take(deliveries: Sequence[messaging.Delivery]) -> None:
        for delivery in deliveries:
            assert isinstance(delivery.message, events_pb2.DeliveryReported)
            states = last.setdefault(delivery.message.message_id, {})
            states.update({outcome.address: outcome.state for outcome in delivery.message.outcomes})

    follower = messaging.Follower(messaging.Kafka(bootstrap), ["mail.delivery.v1"], take)
    await follower.start()
    await follower.caught_up()
    await follower.stop()
    return last


async def settled(mail: Mail, ledger: Ledger, sink: Sink, drop: Dropping, ends: Ends) -> None:
    """Waits until nothing is on its way: no shard waits, and every mail taken has left its mark."""
    async with asyncio.timeout(180 + MAILS / 20):
        while True:
            await asyncio.sleep(2)
            if await make_all_due(mail):
                continue
            ends.look(mail, sink)
            due = {mark: to for mark, to in ledger.taken.items() if mark not in ledger.poison}
            dropped = {mark for mark, to in due.items() if "x@drop.test" in to}
            if dropped <= drop.kept.keys() and all(ends.complete(mark, to) for mark, to in due.items()):
                return


@pytest.fixture
def failing_mail(
    own_kafka: Kafka, own_mongo: Mongo, issuer: Issuer, tmp_path: Path, certificate: Path
) -> Iterator[Mail]:
    asyncio.run(messaging.ensure_topics(own_kafka.bootstrap))
    asyncio.run(publish_directory(own_kafka.bootstrap))
    surroundings = Surroundings(own_kafka.bootstrap, own_mongo.uri, issuer)
    made = mail_routing(tmp_path / "mail", surroundings, certificate)
    program = Failing(made.program.service, made.program.folder, surroundings, settings=made.program.settings)
    hops = json.loads(program.settings["NEXT_HOPS"]) | {"drop.test": f"127.0.0.1:{DROP_PORT}"}
    program.settings["NEXT_HOPS"] = json.dumps(hops)
    program.settings |= {"FULL_DISK": str(tmp_path / "full"), "SMTP_RATES": "{}"}
    mail = Mail(program, made.sink_port, certificate)
    with ExitStack() as stack:
        try:
            stack.enter_context(small_disk(program.folder / "data", DISK_KILOBYTES))
        except NoDisk as lack:
            warnings.warn(f"the full disk is one that fsync pretends: {lack}", Unmounted, stacklevel=2)
        stack.callback(program.kill)
        yield mail


@pytest.mark.slow
@pytest.mark.filterwarnings("default::UserWarning")
async def test_every_mail_that_was_taken_ends_once_for_each_recipient(
    failing_mail: Mail, own_kafka: Kafka, own_mongo: Mongo
) -> None:
    mail, ledger, ends, wanted = failing_mail, Ledger(), Ends(), mixes()
    mail.program.settings["POISON"] = "1"
    letters = messaging.DeadLetters(own_kafka.bootstrap, "mail.message.v1", "mail-routing")
    drop = Dropping(DROP_PORT)
    async with sinking(mail.sink_port) as sink, drop.listening():
        sink.replies["no@sink.test"] = Reply(550, "5.1.1", "nobody")
        sink.replies["later@sink.test"] = Reply(451, "4.2.0", "not now")
        await publish_poison(own_kafka.bootstrap)
        for point in POINTS:
            await killed_at(point, mail, wanted, ledger)
            await make_all_due(mail)
        del mail.program.settings["ROSSIO_KILL_AT"]
        await servers_die(mail, (own_kafka, own_mongo), wanted, ledger)
        await disk_fills(mail, wanted, ledger)
        del sink.replies["later@sink.test"]
        await asyncio.to_thread(ledger.send, mail, [address("mr-rui")], poison=True)
        await settled(mail, ledger, sink, drop, ends)
        check_before = {mark: len(mail.letters("mr-rui", mark)) for mark in ledger.poison}
        assert set(check_before.values()) == {0}

        async with asyncio.timeout(60):
            # A record whose process died before it could say that it was settled has several letters.
            while len(reasons := {letter.origin: letter.reason for letter in await letters.list()}) < 4:
                await asyncio.sleep(0.2)
        assert sorted(reasons.values()) == ["CONTENT_MISSING", "EMPTY_MAIL", "PAYLOAD_UNREADABLE", "POISON"]
        # The cause is mended; what can be delivered is then delivered once, however often it is redriven.
        await asyncio.to_thread(mail.program.stop)
        del mail.program.settings["POISON"]
        await asyncio.to_thread(mail.program.start)
        mended = [letter.number for letter in await letters.list() if letter.reason == "POISON"]
        assert await letters.redrive(mended) == len(mended)
        for mark in ledger.poison:
            await mail.letter("mr-rui", mark)
        ledger.poison.clear()
        await settled(mail, ledger, sink, drop, ends)
    assert ends.check(ledger) <= 64 * len(POINTS), "only what was in hand at a death may be relayed again"
    assert sum(count - 1 for count in drop.kept.values()) <= 64 * len(POINTS)
    assert len(ledger.taken) > 10 * len(POINTS)

    ended = await states(mail)
    for mark, to in ledger.taken.items():
        bounced = to.count("no@sink.test")
        others = len(people(to)) + len(relayed(to)) + to.count("x@drop.test")
        assert ended[ledger.ids[mark]] == Counter(delivered=others, bounced=bounced)
    final = {state for counts in ended.values() for state in counts}
    assert final <= {"delivered", "bounced", "quarantined"}
    facts = await told(own_kafka.bootstrap)
    for message_id, states_of in ended.items():
        names = (events_pb2.DeliveryState.Name(state) for state in facts[message_id].values())
        assert Counter(name.removeprefix("DELIVERY_STATE_").lower() for name in names) == states_of


async def publish_poison(bootstrap: str) -> None:
    """Records that can never be delivered: no protobuf, no recipients, content that is nowhere."""
    empty = events_pb2.MessageAccepted(message_id="empty", origin="smtp", inline=b"x", size=1)
    lost = events_pb2.MessageAccepted(
        message_id="lost",
        origin="smtp",
        blob="mr-a:" + "0" * 64,
        size=9,
        recipients=[events_pb2.Recipient(address=address("mr-rui"))],
    )
    for message in (empty, lost):
        message.accepted_at.FromDatetime(datetime.now(UTC))
    at = datetime.now(UTC)
    facts = [messaging.fact(m, id=messaging.new_id(), at=at, stream="mail.message.v1") for m in (empty, lost)]
    broken = store.OutboxRecord(messaging.new_id(), at, facts[0].topic, b"broken", b"\xff\xff", facts[0].headers)
    producer = messaging.Producer(messaging.Kafka(bootstrap))
    await producer.start()
    await producer.publish([*facts, broken])
    await producer.stop()
