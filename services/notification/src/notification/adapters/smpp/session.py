"""A session with a message centre: bound, kept alive, with a window, and made anew when it breaks."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import Final

import telemetry
from errors import Invalid, Transient
from telemetry.background import end, keep

from notification.adapters.smpp import pdu
from notification.adapters.smpp.pdu import Command, CommandStatus, Pdu, ShortMessage
from notification.adapters.window import Window
from notification.application.ports import NotTaken
from notification.domain.vocabulary import Lane

_log = telemetry.logger(__name__)
_CHUNK: Final = 64 * 1024
_SEQUENCES: Final = 0x7FFFFFFF
_LONGEST_PAUSE: Final = 10.0


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom to bind to; times in seconds."""

    host: str
    port: int
    system_id: str
    password: str
    # Units that may wait for their answer at one time.
    window: int = 32
    answer: float = 15.0
    enquire_every: float = 20.0


class Session:
    """Binds as a transceiver, again and again; `receive` is given what is delivered, and says how it went."""

    def __init__(self, peer: Peer, receive: Callable[[ShortMessage], Awaitable[CommandStatus]]) -> None:
        self._peer = peer
        self._receive = receive
        self._window = Window(peer.window)
        self._sequence = count(1)
        self._waiting: dict[int, asyncio.Future[Pdu]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._bound = False
        self._run: asyncio.Task[None] | None = None
        self._received: set[asyncio.Task[None]] = set()

    @property
    def bound(self) -> bool:
        return self._bound

    async def start(self) -> None:
        """Begins to bind; who sends before that has worked is told so."""
        self._run = keep("smpp session", self._keep_bound())

    async def stop(self) -> None:
        if self._run is None:
            return
        if self._bound:
            try:
                await self._ask(Command.UNBIND, b"")
            except (Transient, OSError):
                _log.info("the message centre did not say goodbye")
        await end(self._run)
        await asyncio.gather(*self._received, return_exceptions=True)

    async def submit(self, message: ShortMessage, lane: Lane) -> str:
        """The id by which the message centre knows it; the lane says who finds a place in the window before whom.

        Raises:
            Invalid: it will never take it.
            NotTaken: it has not taken it.
            Transient: nobody knows whether it has.
        """
        async with self._window.place(lane):
            if not self._bound:
                raise NotTaken("no session is bound", reason="PROVIDER_UNREACHABLE")
            answer = await self._ask(Command.SUBMIT_SM, message.encode())
        if answer.status in {CommandStatus.THROTTLED, CommandStatus.QUEUE_FULL, CommandStatus.SYSTEM_ERROR}:
            raise NotTaken("the message centre takes nothing now", reason="PROVIDER_BUSY")
        if answer.status != CommandStatus.OK:
            raise Invalid(f"the message centre refuses: {answer.status:#x}", reason="PROVIDER_REFUSED")
        return answer.body.partition(b"\0")[0].decode("latin-1")

    async def _keep_bound(self) -> None:
        pause = 0.5
        while True:
            try:
                await self._session()
                pause = 0.5
            except (OSError, TimeoutError, Invalid, Transient) as error:
                _log.warning("no session with the message centre", reason=type(error).__name__)
            finally:
                self._broken()
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _session(self) -> None:
        """From the bind to the end of the connection."""
        async with asyncio.timeout(self._peer.answer):
            reader, self._writer = await asyncio.open_connection(self._peer.host, self._peer.port)
        both = {asyncio.create_task(self._read(reader)), asyncio.create_task(self._live())}
        try:
            ended, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _live(self) -> None:
        """Binds, then asks now and then: a peer that does not answer is gone, whatever the network says."""
        bind = pdu.bind_transceiver(self._peer.system_id, self._peer.password)
        answer = await self._ask(Command.BIND_TRANSCEIVER, bind)
        if answer.status != CommandStatus.OK:
            raise Invalid(f"the message centre does not let us in: {answer.status:#x}", reason="BIND_REFUSED")
        self._bound = True
        _log.info("bound to the message centre")
        while True:
            await asyncio.sleep(self._peer.enquire_every)
            await self._ask(Command.ENQUIRE_LINK, b"")

    def _broken(self) -> None:
        self._bound = False
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(Transient("the session broke", reason="PROVIDER_UNAVAILABLE"))
        self._waiting.clear()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        buffer = bytearray()
        while chunk := await reader.read(_CHUNK):
            buffer += chunk
            while (unit := pdu.take(buffer)) is not None:
                self._take(unit)

    def _take(self, unit: Pdu) -> None:
        if unit.command & pdu.RESPONSE:
            waiting = self._waiting.pop(unit.sequence, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(unit)
            return
        match unit.command:
            case Command.DELIVER_SM:
                task = asyncio.create_task(self._deliver(unit))
                self._received.add(task)
                task.add_done_callback(self._received.discard)
            case Command.ENQUIRE_LINK | Command.UNBIND:
                self._write(Pdu(unit.command | pdu.RESPONSE, unit.sequence))
            case _:
                self._write(Pdu(Command.GENERIC_NACK, unit.sequence, CommandStatus.INVALID_COMMAND))

    async def _deliver(self, unit: Pdu) -> None:
        """Answers when what was delivered is kept: until then the message centre keeps it."""
        try:
            status = await self._receive(pdu.read_short_message(unit.body))
        except Invalid:
            status = CommandStatus.SYSTEM_ERROR
        except Transient:
            status = CommandStatus.TEMPORARY
        self._write(Pdu(Command.DELIVER_SM_RESP, unit.sequence, status, pdu.c_octets("")))

    async def _ask(self, command: Command, body: bytes) -> Pdu:
        sequence = next(self._sequence) % _SEQUENCES
        answer: asyncio.Future[Pdu] = asyncio.get_running_loop().create_future()
        self._waiting[sequence] = answer
        try:
            self._write(Pdu(command, sequence, body=body))
            async with asyncio.timeout(self._peer.answer):
                return await answer
        except TimeoutError as error:
            raise Transient("the message centre does not answer", reason="PROVIDER_UNAVAILABLE") from error
        finally:
            self._waiting.pop(sequence, None)

    def _write(self, unit: Pdu) -> None:
        if self._writer is not None:
            self._writer.write(unit.encode())
