"""A text as the segments that go on the air: alphabet, and a header that puts them together again."""

from dataclasses import dataclass
from typing import Final

from notification.domain import gsm7

GSM7: Final = 0x00
UCS2: Final = 0x08
_ESCAPE: Final = 0x1B
_CODES: Final = {character: code for code, character in enumerate(gsm7.BASIC) if code != _ESCAPE}


@dataclass(frozen=True, slots=True)
class Segment:
    content: bytes
    data_coding: int
    has_header: bool


def segments(text: str, reference: int) -> list[Segment]:
    """The segments of a text.

    Septets travel one an octet, as SMPP has them; several segments carry the header of concatenated messages
    (3GPP TS 23.040, 9.2.3.24.1) with the reference, 0 to 255, that tells them from those of other messages.
    """
    parts = gsm7.split(text)
    coding = UCS2 if gsm7.beyond(text) else GSM7
    encode = _utf16 if coding == UCS2 else _septets
    if len(parts) == 1:
        return [Segment(encode(text), coding, has_header=False)]
    return [
        Segment(bytes([5, 0, 3, reference, len(parts), number]) + encode(part), coding, has_header=True)
        for number, part in enumerate(parts, 1)
    ]


def _septets(text: str) -> bytes:
    made = bytearray()
    for character in text:
        if character in gsm7.EXTENDED:
            made += bytes([_ESCAPE, gsm7.EXTENDED[character]])
        else:
            made.append(_CODES[character])
    return bytes(made)


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-be")
