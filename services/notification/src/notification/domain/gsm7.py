"""The default alphabet of SMS (3GPP TS 23.038, 6.2.1): what fits into one segment of 160 septets."""

import unicodedata
from typing import Final

from errors import Invalid

SEGMENT_SEPTETS: Final = 160
_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Each of these takes an escape before it.
_EXTENDED: Final = frozenset("\f^{}\\[~]|€")


def septets(text: str) -> int:
    """How many septets the text takes.

    Raises:
        Invalid: a character is not in the alphabet.
    """
    if not _BASIC.union(_EXTENDED).issuperset(text):
        raise Invalid("the text has a character that is not in the GSM-7 alphabet", reason="NOT_GSM7")
    return len(text) + sum(character in _EXTENDED for character in text)


def one_segment(text: str) -> str:
    """The text in the basic alphabet, accents dropped where it has none, cut to one segment."""
    return "".join(map(_plain, text))[:SEGMENT_SEPTETS]


def _plain(character: str) -> str:
    if character in _BASIC:
        return character
    letter = unicodedata.normalize("NFKD", character)[0]
    return letter if letter in _BASIC else "?"
