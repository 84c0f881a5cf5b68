"""A simulated message centre that speaks SMPP 3.4: `python -m testkit.smsc --port P --log FILE`.

It takes transceivers in (system id and password below), puts the segments of a message together by their header,
and later delivers a receipt for each message that asked for one, until it is answered with status 0.

The log has a JSON object a line: `bound`, `segment`, `taken` for each message that goes to a telephone (with the text
as the telephone shows it), `refused`, `receipt` and `enquired`. Receipts that are owed survive a restart.
"""

import argparse
import asyncio
import json
import random
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from math import log
from pathlib import Path
from typing import Any, Final

from devstack.program import LOOPBACK, Program, free_port, listens

SYSTEM_ID: Final = "rossio"
PASSWORD: Final = "smpp-pwd"
_HEADER: Final = struct.Struct(">IIII")
_BIND, _SUBMIT, _DELIVER, _UNBIND, _ENQUIRE = 0x09, 0x04, 0x05, 0x06, 0x15
_BINDS: Final = {0x01, 0x02, _BIND}
_RESPONSE: Final = 0x80000000
_OK, _WRONG_COMMAND, _NOT_BOUND, _WRONG_PASSWORD, _THROTTLED, _CUT_OFF = 0x00, 0x03, 0x04, 0x0E, 0x58, 0x02
_ALPHABET: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_SECOND: Final = dict(
    zip(bytes([0x0A, 0x14, 0x28, 0x29, 0x2F, 0x3C, 0x3D, 0x3E, 0x40, 0x65]), "\f^{}\\[~]|€", strict=True)
)


@dataclass(frozen=True, slots=True)
class Manner:
    """How well the centre works; rates are between 0 and 1, times are medians in milliseconds."""

    latency_ms: float = 20
    receipt_ms: float = 100
    # Answers ESME_RTHROTTLED and takes nothing.
    throttle: float = 0
    # Takes a segment and breaks the connection without an answer.
    break_off: float = 0
    undelivered: float = 0
    # Between taking a message and saying so: its receipt may come first.
    answer_ms: float = 0
    # Says each receipt once more, and then the contrary.
    repeat_receipt: float = 0
    # Sends one beside it, of a message that nobody has sent.
    stray_receipt: float = 0


@dataclass(slots=True)
class _Short:
    source: str
    destination: str
    esm_class: int
    coding: int
    registered: int
    content: bytes


class Smsc:
    """The message centre; `taken` has the texts by message id."""

    def __init__(self, log: Path, *, port: int = 0, manner: Manner | None = None, seed: int = 1) -> None:
        self.port = port
        self.manner = manner or Manner()
        self.taken: dict[str, str] = {}
        self._log = log
        self._random = random.Random(seed)
        self._parts: dict[tuple[str, str, int], dict[int, str]] = {}
        self._owed: dict[str, tuple[str, str]] = {}
        self._sessions: list[_Session] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._ids = 0

    async def start(self) -> None:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._remember()
        self._server = await asyncio.start_server(self._serve, LOOPBACK, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        for message_id in list(self._owed):
            self._spawn(self._receipt(message_id))

    async def stop(self) -> None:
        self._server.close()
        for session in self._sessions:
            session.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = _Session(writer)
        try:
            while True:
                head = await reader.readexactly(_HEADER.size)
                length, command, status, sequence = _HEADER.unpack(head)
                body = await reader.readexactly(length - _HEADER.size)
                if command & _RESPONSE:
                    session.answered(sequence, status)
                else:
                    self._spawn(self._handle(session, command, sequence, body))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            if session in self._sessions:
                self._sessions.remove(session)
            session.close()

    async def _handle(self, session: "_Session", command: int, sequence: int, body: bytes) -> None:
        if command in _BINDS:
            name, password = (part.decode("latin-1") for part in body.split(b"\0")[:2])
            allowed = (name, password) == (SYSTEM_ID, PASSWORD)
            session.send(command | _RESPONSE, sequence, _OK if allowed else _WRONG_PASSWORD, b"smsc\0")
            if allowed:
                self._sessions.append(session)
                self.note("bound")
        elif command == _ENQUIRE:
            self.note("enquired")
            session.send(command | _RESPONSE, sequence)
        elif command == _UNBIND:
            session.send(command | _RESPONSE, sequence)
            session.close()
        elif command == _SUBMIT and session in self._sessions:
            await self._submit(session, sequence, body)
        else:
            session.send(_RESPONSE | command, sequence, _NOT_BOUND if command == _SUBMIT else _WRONG_COMMAND)

    async def _submit(self, session: "_Session", sequence: int, body: bytes) -> None:
        await asyncio.sleep(self._takes(self.manner.latency_ms))
        try:
            short = _read(body)
        except (ValueError, IndexError):
            session.send(_SUBMIT | _RESPONSE, sequence, _CUT_OFF)
            return
        if self._random.random() < self.manner.throttle:
            self.note("refused")
            session.send(_SUBMIT | _RESPONSE, sequence, _THROTTLED)
            return
        self._ids += 1
        message_id = f"{self._ids:08x}"
        self._take(message_id, short)
        if self._random.random() < self.manner.break_off:
            session.close()
            return
        await asyncio.sleep(self._takes(self.manner.answer_ms))
        session.send(_SUBMIT | _RESPONSE, sequence, _OK, message_id.encode() + b"\0")

    def _take(self, message_id: str, short: _Short) -> None:
        content, whole = short.content, None
        if short.esm_class & 0x40:
            length, reference, total, number = content[0], content[3], content[4], content[5]
            parts = self._parts.setdefault((short.source, short.destination, reference), {})
            parts[number] = _shown(content[length + 1 :], short.coding)
            if len(parts) == total:
                whole = "".join(parts[each] for each in sorted(parts))
                del self._parts[short.source, short.destination, reference]
        else:
            whole = _shown(content, short.coding)
        self.note(
            "segment", id=message_id, octets=len(content), coding=short.coding, header=bool(short.esm_class & 0x40)
        )
        if short.registered:
            self._owed[message_id] = (short.source, short.destination)
        if whole is not None:
            self.taken[message_id] = whole
            self.note(
                "taken",
                id=message_id,
                to=f"+{short.destination}",
                sender=short.source,
                text=whole,
                registered=short.registered,
            )
        if short.registered:
            self._spawn(self._receipt(message_id))

    async def _receipt(self, message_id: str) -> None:
        await asyncio.sleep(self._takes(self.manner.receipt_ms))
        arrived = self._random.random() >= self.manner.undelivered
        source, destination = self._owed[message_id]
        await self._deliver(message_id, source, destination, arrived=arrived)
        self._owed.pop(message_id, None)
        if self._random.random() < self.manner.repeat_receipt:
            await self._deliver(message_id, source, destination, arrived=arrived)
            await self._deliver(message_id, source, destination, arrived=not arrived)
        if self._random.random() < self.manner.stray_receipt:
            await self._deliver(f"ffff{message_id}", source, destination, arrived=arrived)

    async def _deliver(self, message_id: str, source: str, destination: str, *, arrived: bool) -> None:
        """Brings a receipt until it is answered with status 0."""
        state, code = ("DELIVRD", 2) if arrived else ("UNDELIV", 5)
        date = datetime.now(UTC).strftime("%y%m%d%H%M")
        text = (
            f"id:{message_id} sub:001 dlvrd:{int(arrived):03} submit date:{date} done date:{date} "
            f"stat:{state} err:000 text:"
        ).encode()
        options = struct.pack(">HHB", 0x0427, 1, code) + struct.pack(">HH", 0x001E, len(message_id) + 1)
        body = _deliver(destination, source, text) + options + message_id.encode() + b"\0"
        while True:
            if self._sessions and await self._random.choice(self._sessions).deliver(body) == _OK:
                self.note("receipt", id=message_id, state=state)
                return
            await asyncio.sleep(0.2)

    def _takes(self, median_ms: float) -> float:
        return self._random.lognormvariate(log(median_ms / 1000), 0.5) if median_ms else 0.0

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def note(self, event: str, **said: Any) -> None:
        with self._log.open("a") as log:
            log.write(json.dumps({"event": event, "noted_at": datetime.now(UTC).isoformat(), **said}) + "\n")

    def _remember(self) -> None:
        for line in self._log.read_text().splitlines() if self._log.exists() else ():
            said = json.loads(line)
            if said["event"] == "segment":
                self._ids = max(self._ids, int(said["id"], 16))
            elif said["event"] == "taken":
                self.taken[said["id"]] = said["text"]
                if said["registered"]:
                    self._owed[said["id"]] = (said["sender"], said["to"].lstrip("+"))
            elif said["event"] == "receipt":
                self._owed.pop(said["id"], None)


class _Session:
    """One connection, and the receipts that wait for its answer."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._sequence = 0
        self._answers: dict[int, asyncio.Future[int]] = {}

    def send(self, command: int, sequence: int, status: int = _OK, body: bytes = b"") -> None:
        if not self._writer.is_closing():
            self._writer.write(_HEADER.pack(_HEADER.size + len(body), command, status, sequence) + body)

    def answered(self, sequence: int, status: int) -> None:
        answer = self._answers.pop(sequence, None)
        if answer is not None and not answer.done():
            answer.set_result(status)

    async def deliver(self, body: bytes) -> int:
        """The status of the answer; -1 when there is none."""
        self._sequence += 1
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._answers[self._sequence] = answer
        self.send(_DELIVER, self._sequence, _OK, body)
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                return await answer
        return -1

    def close(self) -> None:
        self._writer.close()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_result(-1)


def _read(body: bytes) -> _Short:
    """The mandatory fields of submit_sm (4.4.1)."""
    _, rest = body.split(b"\0", 1)
    source, rest = rest[2:].split(b"\0", 1)
    destination, rest = rest[2:].split(b"\0", 1)
    esm_class = rest[0]
    _, rest = rest[3:].split(b"\0", 1)
    _, rest = rest.split(b"\0", 1)
    registered, coding, length = rest[0], rest[2], rest[4]
    content = rest[5 : 5 + length]
    if len(content) < length:
        raise ValueError("cut off")
    return _Short(source.decode("latin-1"), destination.decode("latin-1"), esm_class, coding, registered, content)


def _deliver(source: str, destination: str, text: bytes) -> bytes:
    """The mandatory fields of deliver_sm (4.6.1), a receipt."""
    addresses = b"\0\x01\x01" + source.encode() + b"\0" + b"\x01\x01" + destination.encode() + b"\0"
    return addresses + bytes([0x04, 0, 0]) + b"\0\0" + bytes([0, 0, 0, 0, len(text)]) + text


def _shown(content: bytes, coding: int) -> str:
    """What the telephone shows."""
    if coding == 0x08:
        return content.decode("utf-16-be")
    shown, escaped = "", False
    for octet in content:
        if escaped:
            shown, escaped = shown + _SECOND[octet], False
        elif octet == 0x1B:
            escaped = True
        else:
            shown += _ALPHABET[octet]
    return shown


class SmscProgram(Program):
    """The message centre as a program of its own; its log is `smsc.jsonl` in the folder."""

    def __init__(self, folder: Path, *further: str, port: int | None = None) -> None:
        super().__init__("smsc", folder)
        self.port = port or free_port()
        self.messages = folder / "smsc.jsonl"
        self._further = further

    def command(self) -> Sequence[str | Path]:
        return [sys.executable, "-m", "testkit.smsc", "--port", str(self.port), "--log", self.messages, *self._further]

    def ready(self) -> bool:
        return listens(self.port)


def main() -> None:
    parser = argparse.ArgumentParser(description="A simulated message centre.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    usual = Manner()
    for name in Manner.__dataclass_fields__:
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=getattr(usual, name))
    chosen = vars(parser.parse_args())
    manner = Manner(**{name: chosen.pop(name) for name in Manner.__dataclass_fields__})
    asyncio.run(_stay(Smsc(manner=manner, **chosen)))


async def _stay(centre: Smsc) -> None:
    await centre.start()
    print(f"takes transceivers at {LOOPBACK}:{centre.port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    main()
