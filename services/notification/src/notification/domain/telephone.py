"""Which telephone numbers can take an SMS here: Portuguese mobile ones (ANACOM, national numbering plan)."""

import re
from typing import Final

from errors import Invalid

_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_MOBILE: Final = re.compile(r"\+3519[1236][0-9]{7}")


def must_be_mobile(number: str) -> None:
    """Raises Invalid, by the reason, where an SMS to the number cannot arrive."""
    if not _E164.fullmatch(number):
        raise Invalid("the number is not in E.164 form", reason="NUMBER_MALFORMED")
    if not number.startswith("+351"):
        raise Invalid("the number is not Portuguese", reason="NUMBER_FOREIGN")
    if len(number) != len("+351") + 9:
        raise Invalid("a Portuguese number has nine digits", reason="NUMBER_MALFORMED")
    if not _MOBILE.fullmatch(number):
        raise Invalid("the number is not one of a mobile telephone", reason="NUMBER_NOT_MOBILE")


def is_mobile(number: str) -> bool:
    return _MOBILE.fullmatch(number) is not None
