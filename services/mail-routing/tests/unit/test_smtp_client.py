"""Our client against our server, and against servers that misbehave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from mail_routing.adapters.hops import Hops
from mail_routing.adapters.smtp_client import Patience, Shape, SmtpClient
from mail_routing.application.attempt import Attempt
from mail_routing.domain.delivery import Delivery, Progress, Result, Shard, State
from mail_routing.domain.message import Message, MessageClass, Origin
from mail_routing.domain.route import Destination, Kind
from mail_routing.entrypoints.smtp.actions import Judge, Transaction
from mail_routing.entrypoints.smtp.grammar import MailFrom, Reply
from mail_routing.entrypoints.smtp.server import Client, SmtpServer

CONTENT = b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\nend\r\n"


class Sink:
    """A next hop that keeps what it takes; `replies` answer recipients by address."""

    def __init__(self, replies: dict[str, Reply] | None = None, at_end: Reply | None = None) -> None:
        self.replies = replies or {}
        self.at_end = at_end or Reply(250, "2.0.0", "kept")
        self.mails: list[tuple[str, list[str], bytes]] = []

    def judge_of(self, client: str) -> Judge:
        return self

    def sender(self, mail: MailFrom) -> Reply | None:
        return None

    def recipient(self, mail: MailFrom, address: str) -> Reply | None:
        return self.replies.get(address)

    async def take(self, transaction: Transaction, client: Client) -> Reply:
        if self.at_end.code == 250:
            self.mails.append((transaction.mail.sender, list(transaction.recipients), bytes(transaction.content)))
        return self.at_end


@asynccontextmanager
async def listening(sink: Sink) -> AsyncIterator[str]:
    server = SmtpServer("127.0.0.1:0", "sink.test", sink.take, sink.judge_of)
    await server.start()
    try:
        yield f"127.0.0.1:{server.port}"
    finally:
        await server.stop()


PATIENCE = Patience(connect=5.0, reply=5.0)


@asynccontextmanager
async def client(
    hops: Hops | None = None, *, patience: Patience = PATIENCE, shape: Shape | None = None
) -> AsyncIterator[SmtpClient]:
    smtp = SmtpClient("mx.test", hops, patience=patience, shape=shape)
    await smtp.start()
    try:
        yield smtp
    finally:
        await smtp.stop()


def message(sender: str = "", *, smtputf8: bool = False, kind: MessageClass = MessageClass.NORMAL) -> Message:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    return Message("m", "", sender, (), b"", 0, kind, at, Origin.GRPC, smtputf8=smtputf8)


async def send(smtp: SmtpClient, hop: str, mail: Message, to: Sequence[str]) -> dict[str, Result]:
    destinations = [Destination(Kind.RELAY, address, hop, address) for address in to]
    results = await smtp.send(hop, mail, destinations, CONTENT)
    return {destination.address: result for destination, result in results.items()}


async def test_bytes_arrive_as_they_were_and_connections_are_used_again() -> None:
    sink = Sink()
    async with listening(sink) as hop, client() as smtp:
        for _ in range(3):
            results = await send(smtp, hop, message("a@x.test"), ["b@y.test", "c@y.test"])
            assert {r.state for r in results.values()} == {State.DELIVERED}
        (site,) = smtp._sites.values()
        assert [link.mails for link in site.idle] == [3]
    assert sink.mails == [("a@x.test", ["b@y.test", "c@y.test"], CONTENT)] * 3


async def test_each_recipient_has_its_own_result() -> None:
    sink = Sink({"no@y.test": Reply(550, "5.1.1", "nobody"), "later@y.test": Reply(451, "4.2.0", "busy")})
    async with listening(sink) as hop, client() as smtp:
        to = ["no@y.test", "b@y.test", "later@y.test"]
        results = await send(smtp, hop, message(), to)
        assert [(results[each].state, results[each].status) for each in to] == [
            (State.BOUNCED, "5.1.1"),
            (State.DELIVERED, "2.0.0"),
            (State.DEFERRED, "4.2.0"),
        ]
        assert results["no@y.test"].reply == "550 5.1.1 nobody"
        # None is taken: nothing is sent, and the connection can be used for the next.
        results = await send(smtp, hop, message(), ["no@y.test"])
        assert results["no@y.test"].status == "5.1.1"
        await send(smtp, hop, message(), ["b@y.test"])
    assert len(sink.mails) == 2


async def test_more_than_a_hundred_recipients_go_in_several_mails() -> None:
    sink = Sink()
    async with listening(sink) as hop, client() as smtp:
        to = [f"u{n}@y.test" for n in range(250)]
        results = await send(smtp, hop, message(), to)
    assert len(results) == 250
    assert sorted(len(mail[1]) for mail in sink.mails) == [50, 100, 100]


async def test_a_refusal_at_the_end_of_data_is_everybodys() -> None:
    async with listening(Sink(at_end=Reply(554, "5.7.1", "spam"))) as hop, client() as smtp:
        results = await send(smtp, hop, message(), ["b@y.test", "c@y.test"])
    assert {(r.state, r.status) for r in results.values()} == {(State.BOUNCED, "5.7.1")}


async def test_a_closed_port_defers_and_is_left_alone_for_a_while() -> None:
    async with client(patience=Patience(away=60.0)) as smtp:
        listener = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        hop = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        listener.close()
        await listener.wait_closed()
        for _ in range(3):
            results = await send(smtp, hop, message(), ["b@y.test"])
            assert (results["b@y.test"].state, results["b@y.test"].status) == (State.DEFERRED, "4.4.1")
        (site,) = smtp._sites.values()
        assert site.failures == 1
        assert 40 < smtp.away(hop, MessageClass.NORMAL) <= 75
        assert not smtp.away(hop, MessageClass.URGENT)


async def test_one_mail_alone_finds_out_whether_a_site_is_back() -> None:
    knocked: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
    listener = await asyncio.start_server(lambda _, writer: knocked.put_nowait(writer), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    hop = f"127.0.0.1:{port}"
    listener.close()
    await listener.wait_closed()
    async with client(patience=Patience(away=60.0)) as smtp:
        await send(smtp, hop, message(), ["b@y.test"])
        smtp.urge(hop, MessageClass.NORMAL)
        listener = await asyncio.start_server(lambda _, writer: knocked.put_nowait(writer), "127.0.0.1", port)
        first = asyncio.create_task(send(smtp, hop, message(), ["b@y.test"]))
        knocking = await knocked.get()  # and is not answered
        for _ in range(5):
            results = await send(smtp, hop, message(), ["b@y.test"])
            assert (results["b@y.test"].state, results["b@y.test"].status) == (State.DEFERRED, "4.4.5")
        assert knocked.empty()
        knocking.close()
        assert (await first)["b@y.test"].status == "4.4.1"
        listener.close()


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def scripted(talk: Talk) -> AsyncIterator[str]:
    talks: set[asyncio.Task[None]] = set()

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        await talk(reader, writer)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(run, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await asyncio.gather(*talks)


async def test_a_server_without_extensions_is_spoken_to_step_by_step() -> None:
    heard: list[bytes] = []

    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 old\r\n")
        for reply in (b"250 old\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            heard.append(await reader.readline())
            writer.write(reply)
        heard.append(await reader.readuntil(b"\r\n.\r\n"))
        writer.write(b"250 done\r\n")

    async with scripted(old) as hop, client() as smtp:
        results = await send(smtp, hop, message("a@x.test", smtputf8=True), ["b@y.test"])
    assert results["b@y.test"].state is State.DELIVERED
    assert results["b@y.test"].status == "2.0.0"
    assert heard[1:4] == [b"MAIL FROM:<a@x.test>\r\n", b"RCPT TO:<b@y.test>\r\n", b"DATA\r\n"]


async def test_a_connection_that_drops_after_data_is_a_deferral_and_not_repeated_at_once() -> None:
    connections = 0

    async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.write(b"220 x\r\n")
        for reply in (b"250 x\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            await reader.readline()
            writer.write(reply)
        await reader.readuntil(b"\r\n.\r\n")

    async with scripted(drop) as hop, client() as smtp:
        results = await send(smtp, hop, message("a@x.test"), ["b@y.test"])
    assert (results["b@y.test"].state, results["b@y.test"].status) == (State.DEFERRED, "4.4.2")
    assert connections == 1


async def test_a_hop_that_looks_into_a_mail_for_long_is_waited_for_once_the_mail_is_claimed() -> None:
    looking, answers = asyncio.Semaphore(0), asyncio.Event()

    async def looks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 x\r\n")
        for reply in (b"250 x\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            await reader.readline()
            writer.write(reply)
        await reader.readuntil(b"\r\n.\r\n")
        looking.release()
        await answers.wait()
        writer.write(b"250 clean\r\n")

    async with scripted(looks) as hop, client(patience=Patience(reply=0.5)) as smtp:
        nothing: Any = None
        inform: Any = told_nobody
        reading: Any = content
        at = datetime(2026, 11, 23, tzinfo=UTC)
        attempt = Attempt(inform, nothing, nothing, smtp, "mx.test", now=lambda: at, jitter=lambda: 0.5)
        shard = Shard(message("a@x.test"), 0, (Delivery(Destination(Kind.RELAY, "b@y.test", hop)),), at)

        async def state(*, claimed: bool) -> State:
            progress, _ = await attempt(replace(shard, claimed=claimed), reading)
            return progress.shard.deliveries[0].state

        assert await state(claimed=False) is State.DEFERRED
        again = asyncio.create_task(state(claimed=True))
        for _ in range(2):
            await looking.acquire()
        # Whoever comes later gives up before: so the one who is patient has waited for longer than a reply.
        assert await state(claimed=False) is State.DEFERRED
        answers.set()
        assert await again is State.DELIVERED


async def told_nobody(progress: Progress, content: bytes) -> tuple[()]:
    return ()


async def content() -> bytes:
    return CONTENT


async def test_after_data_that_are_not_wanted_now_the_connection_begins_anew() -> None:
    replies = {
        b"MAIL": b"250 ok",
        b"RCPT": b"250 ok",
        b"DATA": b"451 4.3.0 later",
        b"RSET": b"250 ok",
        b"EHLO": b"250 x",
    }

    async def busy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_mail = False
        writer.write(b"220 x\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            nested = verb == b"MAIL" and open_mail
            open_mail = verb != b"RSET" and (open_mail or verb == b"MAIL")
            writer.write((b"503 5.5.1 nested" if nested else replies.get(verb, b"221 bye")) + b"\r\n")

    async with scripted(busy) as hop, client() as smtp:
        for _ in range(2):
            results = await send(smtp, hop, message("a@x.test"), ["b@y.test"])
            assert (results["b@y.test"].state, results["b@y.test"].status) == (State.DEFERRED, "4.3.0")
        (site,) = smtp._sites.values()
        assert [link.mails for link in site.idle] == [2]


async def test_an_idle_connection_that_was_closed_is_replaced() -> None:
    sink = Sink()
    async with client() as smtp:
        async with listening(sink) as hop:
            await send(smtp, hop, message(), ["b@y.test"])
            port = hop.rpartition(":")[2]
        again = SmtpServer(f"127.0.0.1:{port}", "sink.test", sink.take, sink.judge_of)
        await again.start()
        results = await send(smtp, hop, message(), ["b@y.test"])
        assert results["b@y.test"].state is State.DELIVERED
        await again.stop()
    assert len(sink.mails) == 2


async def test_international_addresses_need_a_next_hop_that_takes_them() -> None:
    async def ascii_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 x\r\n")
        await reader.readline()
        writer.write(b"250-x\r\n250 PIPELINING\r\n")
        await reader.read()

    async with scripted(ascii_only) as hop, client() as smtp:
        results = await send(smtp, hop, message(smtputf8=True), ["joão@y.test"])
        assert results["joão@y.test"].status == "5.6.7"
