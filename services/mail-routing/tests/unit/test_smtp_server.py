"""The server around the sessions: limits that span connections, time, faults of ours, and the end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from mail_routing.entrypoints.smtp.actions import Judge, Transaction
from mail_routing.entrypoints.smtp.grammar import MailFrom, Reply
from mail_routing.entrypoints.smtp.server import Client, ServerLimits, SmtpServer

HELLO = b"EHLO x.test\r\nMAIL FROM:<a@x.test>\r\nRCPT TO:<b@y.test>\r\nDATA\r\n"


@dataclass
class House:
    """Takes mails when the gate is open; a mail that says BUG is one."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    mails: list[bytes] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)

    def judge_of(self, client: str) -> Judge:
        return self

    def sender(self, mail: MailFrom) -> Reply | None:
        return None

    def recipient(self, mail: MailFrom, address: str) -> Reply | None:
        return None

    async def take(self, transaction: Transaction, client: Client) -> Reply:
        self.clients.append(client)
        await self.gate.wait()
        if b"BUG" in transaction.content:
            raise ZeroDivisionError("a bug, says the test")
        self.mails.append(bytes(transaction.content))
        return Reply(250, "2.0.0", "taken")


@asynccontextmanager
async def serving(house: House, **limits: float) -> AsyncIterator[SmtpServer]:
    server = SmtpServer("127.0.0.1:0", "mx.test", house.take, house.judge_of, limits=ServerLimits(**limits))  # type: ignore[arg-type]
    await server.start()
    try:
        yield server
    finally:
        house.gate.set()
        await server.stop()


@asynccontextmanager
async def talking(server: SmtpServer) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        await writer.wait_closed()


async def codes(reader: asyncio.StreamReader, count: int) -> list[bytes]:
    """The first words of so many final lines of replies."""
    async with asyncio.timeout(10):
        found: list[bytes] = []
        while len(found) < count:
            line = await reader.readline()
            assert line, found
            if line[3:4] == b" ":
                found.append(line[:3])
        return found


async def test_connections_are_limited_in_all_and_per_address_and_given_free() -> None:
    async with serving(House(), connections_per_address=1) as server:
        async with talking(server) as (first, _):
            assert await codes(first, 1) == [b"220"]
            async with talking(server) as (second, _):
                assert await second.read() == b"421 4.7.0 Too many connections from you\r\n"
        async with asyncio.timeout(10):
            while server.connections:
                await asyncio.sleep(0)
        async with talking(server) as (third, _):
            assert await codes(third, 1) == [b"220"]
    async with serving(House(), connections=0) as server, talking(server) as (reader, _):
        assert await reader.read() == b"421 4.3.2 Too many connections\r\n"


async def test_connections_of_one_address_are_limited_by_the_minute() -> None:
    async with serving(House(), connections_a_minute=2) as server:
        for _ in range(2):
            async with talking(server) as (reader, _):
                assert await codes(reader, 1) == [b"220"]
        async with talking(server) as (reader, _):
            assert await reader.read() == b"421 4.7.0 Too many connections from you in a short time\r\n"


async def test_wrong_commands_count_for_the_address_over_its_connections() -> None:
    async with serving(House(), mistakes_a_minute=4) as server:
        for _ in range(2):
            async with talking(server) as (reader, writer):
                writer.write(b"A\r\nB\r\nQUIT\r\n")
                assert await codes(reader, 4) == [b"220", b"500", b"500", b"221"]
                assert await reader.read() == b""
        async with asyncio.timeout(10):
            while server.connections:
                await asyncio.sleep(0)
        async with talking(server) as (reader, _):
            assert await reader.read() == b"421 4.7.0 Too many mistakes from you; try again later\r\n"


async def test_who_says_nothing_is_sent_away() -> None:
    async with serving(House(), idle_seconds=0.05) as server, talking(server) as (reader, _):
        async with asyncio.timeout(10):
            assert (await reader.read()).endswith(b"421 4.4.2 Idle for too long\r\n")


async def test_pipelined_mails_are_taken_in_order_one_at_a_time() -> None:
    house = House()
    house.gate.set()
    async with serving(house) as server, talking(server) as (reader, writer):
        again = HELLO.partition(b"\r\n")[2]
        writer.write(HELLO + b"one\r\n.\r\n" + again + b"two\r\n.\r\nQUIT\r\n")
        expected = [b"220", b"250", b"250", b"250", b"354", b"250", b"250", b"250", b"354", b"250", b"221"]
        assert await codes(reader, 11) == expected
        assert house.mails == [b"one\r\n", b"two\r\n"]
        assert (house.clients[0].address, house.clients[0].name) == ("127.0.0.1", "x.test")


async def test_a_fault_of_ours_is_an_answer_and_never_silence() -> None:
    house = House()
    house.gate.set()
    async with serving(house) as server, talking(server) as (reader, writer):
        writer.write(HELLO + b"BUG\r\n.\r\n")
        assert await codes(reader, 6) == [b"220", b"250", b"250", b"250", b"354", b"421"]
        assert await reader.read() == b""


async def test_too_much_in_hand_is_a_temporary_refusal() -> None:
    house, large = House(), b"x" * 2000 + b"\r\n.\r\n"
    async with (
        serving(house, buffered_octets=3000) as server,
        talking(server) as (first, busy),
        talking(server) as (second, writer),
    ):
        busy.write(HELLO + large)
        async with asyncio.timeout(10):
            while not house.clients:
                await asyncio.sleep(0)
        writer.write(HELLO + large)
        assert (await codes(second, 6))[-1] == b"452"
        house.gate.set()
        assert (await codes(first, 6))[-1] == b"250"


@pytest.mark.parametrize("in_hand", [False, True])
async def test_at_the_end_idle_ones_are_told_and_mails_in_hand_are_seen_through(in_hand: bool) -> None:
    house = House()
    server = SmtpServer("127.0.0.1:0", "mx.test", house.take, house.judge_of)
    await server.start()
    async with talking(server) as (reader, writer):
        assert await codes(reader, 1) == [b"220"]
        if in_hand:
            writer.write(HELLO + b"last\r\n.\r\n")
            await codes(reader, 4)
            async with asyncio.timeout(10):
                while not house.clients:
                    await asyncio.sleep(0)
        stopping = asyncio.create_task(server.stop())
        if in_hand:
            await asyncio.sleep(0)
            house.gate.set()
            assert await codes(reader, 2) == [b"250", b"421"]
            assert house.mails == [b"last\r\n"]
        else:
            assert await codes(reader, 1) == [b"421"]
        await stopping
