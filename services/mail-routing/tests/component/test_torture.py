"""Nothing lost, nothing twice: killed at every point between two effects, with failing handlers and poison.

What is told to the client decides: a mail that was answered with 250 is, for each recipient, in one mailbox, at
the next hop or bounced once, and a mail without an answer is whole or not at all. A next hop may get a mail twice,
when the process dies between its 250 and our record: SMTP has no way to ask (RFC 5321 section 4.5.4, RFC 1047).
"""

import asyncio
import itertools
import json
import smtplib
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
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

from .conftest import (  # type: ignore[import-not-found]  # "mail-routing" is no module name
    CROWD,
    PEOPLE,
    TRUSTED,
    Mail,
    Sink,
    address,
    mail_routing,
    make_all_due,
    marker,
    publish_directory,
    sinking,
)

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
"""Point -> at which of its passings the process dies."""
MAILS_A_POINT = 40
DROP_PORT = free_port()


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


@dataclass
class Ledger:
    """What the clients were told: marks of mails by the list of their recipients."""

    taken: dict[bytes, list[str]] = field(default_factory=dict)
    ids: dict[bytes, str] = field(default_factory=dict)
    in_doubt: dict[bytes, list[str]] = field(default_factory=dict)
    poison: set[bytes] = field(default_factory=set)


MIXES = (
    [address("mr-rui")],
    ["mr-team@mr-a.test", address("mr-rui")],
    [address("mr-eva"), "yes@sink.test"],
    ["no@sink.test", address("mr-nuno")],
    ["yes@sink.test", "later@sink.test"],
    [address("mr-nuno"), "x@drop.test"],
)
WHERE = {"mr-team@mr-a.test": ["mr-rui", "mr-eva"], **{address(person): [person] for person in PEOPLE}}


def send(mail: Mail, to: list[str], ledger: Ledger, *, poison: bool = False) -> None:
    mark = marker()
    content = b"From: ana\r\nX-Mark: " + mark + (b"\r\nX-Poison: yes" if poison else b"") + b"\r\n\r\nhello\r\n"
    ledger.in_doubt[mark] = to
    with suppress(smtplib.SMTPException, OSError), closing(mail.client(TRUSTED)) as client:
        client.ehlo()
        client.mail(address("mr-ana"))
        for one in to:
            client.rcpt(one)
        code, text = client.data(content)
        assert code == 250
        ledger.taken[mark] = ledger.in_doubt.pop(mark)
        ledger.ids[mark] = text.decode().rpartition(" ")[2]
        if poison:
            ledger.poison.add(mark)


async def traffic(mail: Mail, mixes: Iterator[list[str]], ledger: Ledger) -> None:
    """Some mails, as long as the program lives."""
    for _ in range(MAILS_A_POINT):
        if mail.program.exit_code is None:
            await asyncio.to_thread(send, mail, next(mixes), ledger)


async def killed_at(point: str, mail: Mail, mixes: Iterator[list[str]], ledger: Ledger) -> None:
    mail.program.settings["ROSSIO_KILL_AT"] = f"{point}:{POINTS[point]}"
    await asyncio.to_thread(mail.program.launch)
    async with asyncio.timeout(90):
        while not listens(mail.smtp[1]):
            await asyncio.sleep(0.05)
        if "resume" in point or "planned" in point:
            await asyncio.to_thread(send, mail, ["everybody@mr-c.test"], ledger)
        await traffic(mail, mixes, ledger)
        while mail.program.exit_code is None:
            await asyncio.sleep(0.05)
    assert f"killed at {point}" in mail.program.output()


async def servers_die(mail: Mail, servers: tuple[Kafka, Mongo], mixes: Iterator[list[str]], ledger: Ledger) -> None:
    """Broker and store are killed and started again while mail comes in; the program stays."""
    await asyncio.to_thread(mail.program.start)
    for server in servers:
        flow = asyncio.create_task(traffic(mail, mixes, ledger))
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await flow
        assert mail.program.exit_code is None


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


async def settled(mail: Mail, ledger: Ledger, sink: Sink, drop: Dropping) -> None:
    """Waits until nothing is on its way: no shard waits, and every mail taken has left its mark."""
    async with asyncio.timeout(180):
        while True:
            await asyncio.sleep(2)
            if await make_all_due(mail):
                continue
            due = {mark: to for mark, to in ledger.taken.items() if mark not in ledger.poison}
            dropped = {mark for mark, to in due.items() if "x@drop.test" in to}
            if dropped <= drop.kept.keys() and all(_there(mail, mark, to, sink) for mark, to in due.items()):
                return


def _people(to: list[str]) -> set[str]:
    crowd = [f"mr-c{n}" for n in range(CROWD)] if "everybody@mr-c.test" in to else []
    return {person for one in to for person in WHERE.get(one, [])} | set(crowd)


def _there(mail: Mail, mark: bytes, to: list[str], sink: Sink) -> bool:
    relayed = {one for one in to if one.startswith(("yes@", "later@"))}
    at_sink = {one for _, recipients, _ in sink.with_marker(mark) for one in recipients}
    reported = bool(mail.letters("mr-ana", mark)) or "no@sink.test" not in to
    people = sorted(_people(to))
    return relayed <= at_sink and reported and all(mail.letters(one, mark) for one in people)


def check(mail: Mail, ledger: Ledger, sink: Sink) -> None:
    for mark, to in ledger.taken.items():
        assert {len(mail.letters(one, mark)) for one in _people(to)} <= {1}, to
        assert len(mail.letters("mr-ana", mark)) == ("no@sink.test" in to), to
    twice = 0
    for mark, to in (ledger.taken | ledger.in_doubt).items():
        at_sink = Counter(one for _, recipients, _ in sink.with_marker(mark) for one in recipients)
        twice += sum(count - 1 for count in at_sink.values())
        assert "no@sink.test" not in at_sink
        letters = [len(mail.letters(one, mark)) for one in _people(to)]
        if mark in ledger.in_doubt and letters:
            assert set(letters) in ({0}, {1}), "whole or not at all, and never twice"
        assert len(mail.letters("mr-ana", mark)) <= 1
    assert twice <= 64 * len(POINTS), "only what was in hand when the process died may be relayed again"


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
    mail = Mail(program, made.sink_port, certificate)
    yield mail
    program.kill()


@pytest.mark.slow
async def test_every_mail_that_was_taken_ends_once_for_each_recipient(
    failing_mail: Mail, own_kafka: Kafka, own_mongo: Mongo
) -> None:
    mail, ledger, mixes = failing_mail, Ledger(), itertools.cycle(MIXES)
    mail.program.settings["POISON"] = "1"
    letters = messaging.DeadLetters(own_kafka.bootstrap, "mail.message.v1", "mail-routing")
    drop = Dropping(DROP_PORT)
    async with sinking(mail.sink_port) as sink, drop.listening():
        sink.replies["no@sink.test"] = Reply(550, "5.1.1", "nobody")
        sink.replies["later@sink.test"] = Reply(451, "4.2.0", "not now")
        await publish_poison(own_kafka.bootstrap)
        for point in POINTS:
            await killed_at(point, mail, mixes, ledger)
            await make_all_due(mail)
        del mail.program.settings["ROSSIO_KILL_AT"]
        await servers_die(mail, (own_kafka, own_mongo), mixes, ledger)
        del sink.replies["later@sink.test"]
        await asyncio.to_thread(send, mail, [address("mr-rui")], ledger, poison=True)
        await settled(mail, ledger, sink, drop)
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
        await settled(mail, ledger, sink, drop)
        check(mail, ledger, sink)
    assert sum(count - 1 for count in drop.kept.values()) <= 64 * len(POINTS)
    assert len(ledger.taken) > 10 * len(POINTS)

    ended = await states(mail)
    for mark, to in ledger.taken.items():
        bounced = to.count("no@sink.test")
        others = len(_people(to)) + sum(one.endswith(("@sink.test", "@drop.test")) for one in to) - bounced
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
