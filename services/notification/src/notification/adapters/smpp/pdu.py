"""The protocol data units of SMPP 3.4 (Issue 1.2) that a transceiver needs, on the wire and back."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from errors import Invalid

_HEADER: Final = struct.Struct(">IIII")
_TLV: Final = struct.Struct(">HH")
# Longer ones are no unit of ours: a peer that sends them speaks something else.
_LONGEST: Final = 64 * 1024

RECEIPTED_MESSAGE_ID: Final = 0x001E
MESSAGE_STATE: Final = 0x0427
RECEIPT: Final = 0x04  # esm_class of a delivery receipt (5.2.12)
UDH: Final = 0x40  # esm_class of a message that begins with a header


class Command(IntEnum):
    """Section 5.1.2.1."""

    GENERIC_NACK = 0x80000000
    BIND_TRANSCEIVER = 0x00000009
    BIND_TRANSCEIVER_RESP = 0x80000009
    SUBMIT_SM = 0x00000004
    SUBMIT_SM_RESP = 0x80000004
    DELIVER_SM = 0x00000005
    DELIVER_SM_RESP = 0x80000005
    UNBIND = 0x00000006
    UNBIND_RESP = 0x80000006
    ENQUIRE_LINK = 0x00000015
    ENQUIRE_LINK_RESP = 0x80000015


RESPONSE: Final = 0x80000000


class CommandStatus(IntEnum):
    """Those of section 5.1.3 that mean something to us; all others are refusals."""

    OK = 0x00
    INVALID_COMMAND = 0x03
    SYSTEM_ERROR = 0x08
    QUEUE_FULL = 0x14
    THROTTLED = 0x58
    TEMPORARY = 0x64


@dataclass(frozen=True, slots=True)
class Pdu:
    """One unit; nothing of its body shows in a traceback or a log."""

    command: int
    sequence: int
    status: int = CommandStatus.OK
    body: bytes = field(default=b"", repr=False)

    def encode(self) -> bytes:
        return _HEADER.pack(_HEADER.size + len(self.body), self.command, self.status, self.sequence) + self.body


def take(buffer: bytearray) -> Pdu | None:
    """Takes the first whole unit out of the buffer; None when there is none yet.

    Raises:
        Invalid: what comes is no unit.
    """
    if len(buffer) < _HEADER.size:
        return None
    length, command, status, sequence = _HEADER.unpack_from(buffer)
    if not _HEADER.size <= length <= _LONGEST:
        raise Invalid("the peer sends no units of SMPP", reason="PDU_MALFORMED")
    if len(buffer) < length:
        return None
    body = bytes(buffer[_HEADER.size : length])
    del buffer[:length]
    return Pdu(command, sequence, status, body)


def c_octets(text: str) -> bytes:
    return text.encode("ascii") + b"\0"


def bind_transceiver(system_id: str, password: str) -> bytes:
    """The body of a bind (4.1.5)."""
    return c_octets(system_id) + c_octets(password) + c_octets("") + bytes([0x34, 0, 0]) + c_octets("")


@dataclass(frozen=True, slots=True)
class ShortMessage:
    """What submit_sm and deliver_sm carry (4.4.1, 4.6.1); addresses are in international form."""

    source: str = field(repr=False)
    destination: str = field(repr=False)
    content: bytes = field(repr=False)
    esm_class: int = 0
    data_coding: int = 0
    registered_delivery: int = 0
    options: Mapping[int, bytes] = field(default_factory=dict, repr=False)

    def encode(self) -> bytes:
        alphanumeric = not self.source.lstrip("+").isdigit()
        return b"".join(
            (
                c_octets(""),
                bytes([5, 0]) if alphanumeric else bytes([1, 1]),
                c_octets(self.source.lstrip("+")),
                bytes([1, 1]),
                c_octets(self.destination.lstrip("+")),
                bytes([self.esm_class, 0, 0]),
                c_octets(""),
                c_octets(""),
                bytes([self.registered_delivery, 0, self.data_coding, 0, len(self.content)]),
                self.content,
                *(_TLV.pack(tag, len(value)) + value for tag, value in self.options.items()),
            )
        )


def read_short_message(body: bytes) -> ShortMessage:
    """Raises Invalid for a body that is cut off."""
    try:
        return _short_message(_Cursor(body))
    except (IndexError, ValueError, struct.error) as error:
        raise Invalid("the unit is cut off", reason="PDU_MALFORMED") from error


def _short_message(at: "_Cursor") -> ShortMessage:
    at.text()
    at.octets(2)
    source = at.text()
    at.octets(2)
    destination = at.text()
    esm_class = at.octets(3)[0]
    at.text()
    at.text()
    registered, _, coding, _, length = at.octets(5)
    return ShortMessage(source, destination, at.octets(length), esm_class, coding, registered, at.options())


class _Cursor:
    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def text(self) -> str:
        end = self._body.index(b"\0", self._at)
        found = self._body[self._at : end].decode("latin-1")
        self._at = end + 1
        return found

    def octets(self, count: int) -> bytes:
        found = self._body[self._at : self._at + count]
        if len(found) < count:
            raise IndexError(count)
        self._at += count
        return found

    def options(self) -> dict[int, bytes]:
        found = {}
        while self._at < len(self._body):
            tag, length = _TLV.unpack(self.octets(_TLV.size))
            found[tag] = self.octets(length)
        return found
