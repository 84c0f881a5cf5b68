"""The alphabets of SMS (3GPP TS 23.038) and what fits into a segment (3GPP TS 23.040)."""

import unicodedata
from dataclasses import dataclass
from typing import Final

from errors import Invalid

SEGMENT_SEPTETS: Final = 160
# A segment of several loses seven septets, or three units, to the header that numbers it.
PART_SEPTETS: Final = 153
SEGMENT_UNITS: Final = 70
PART_UNITS: Final = 67
# In the order of their codes, 0 to 127; the escape at 27 stands for nothing.
BASIC: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Each of these takes an escape before its code.
EXTENDED: Final = {
    "\f": 0x0A, "^": 0x14, "{": 0x28, "}": 0x29, "\\": 0x2F, "[": 0x3C, "~": 0x3D, "]": 0x3E, "|": 0x40, "€": 0x65,
}  # fmt: skip
_BASIC: Final = frozenset(BASIC) - {"\x1b"}
_ALL: Final = _BASIC.union(EXTENDED)


def septets(text: str) -> int:
    """How many septets the text takes.

    Raises:
        Invalid: a character is not in the alphabet.
    """
    if beyond(text):
        raise Invalid("the text has a character that is not in the GSM-7 alphabet", reason="NOT_GSM7")
    return len(text) + sum(character in EXTENDED for character in text)


def beyond(text: str) -> str:
    """The characters that are not in the alphabet, each once, in order."""
    return "".join(dict.fromkeys(character for character in text if character not in _ALL))


def one_segment(text: str) -> str:
    """The text in the basic alphabet, accents dropped where it has none, cut to one segment."""
    return "".join(map(_plain, text))[:SEGMENT_SEPTETS]


@dataclass(frozen=True, slots=True)
class Size:
    """What a text takes: in septets ("gsm-7") or 16-bit units ("ucs-2")."""

    encoding: str
    length: int
    segments: int


def size(text: str) -> Size:
    """How long the text is on the air, in the smaller alphabet that holds it.

    No character is parted from its escape or its surrogate, so that segments may be shorter than they could be.
    """
    if beyond(text):
        return Size("ucs-2", sum(map(_units, text)), len(split(text)))
    return Size("gsm-7", septets(text), len(split(text)))


def split(text: str) -> list[str]:
    """The text in as few segments as it takes; at least one."""
    weigh, whole, part = (
        (_units, SEGMENT_UNITS, PART_UNITS) if beyond(text) else (_septets, SEGMENT_SEPTETS, PART_SEPTETS)
    )
    if sum(map(weigh, text)) <= whole:
        return [text]
    parts, filled = [""], 0
    for character in text:
        weight = weigh(character)
        if filled + weight > part:
            parts.append("")
            filled = 0
        parts[-1] += character
        filled += weight
    return parts


def _septets(character: str) -> int:
    return 2 if character in EXTENDED else 1


def _units(character: str) -> int:
    return 2 if ord(character) > 0xFFFF else 1


def _plain(character: str) -> str:
    if character in _BASIC:
        return character
    letter = unicodedata.normalize("NFKD", character)[0]
    return letter if letter in _BASIC else "?"
