"""The Message-ID of a mail (RFC 5322 section 3.6.4): what people and other servers know it by, as its author wrote it.

Nobody vouches for it: several mails may bear the same one, or none.
"""

import re

from mail_routing.domain import headers

MAX_LENGTH = 256
"""Characters that are kept of it, and so compared; mail programs write a third of that."""

_MAX_OCTETS = 4 * MAX_LENGTH
_FIELD = headers.Finder("message-id")
_BRACKET = re.compile(r"[<>]")


def of(content: bytes | bytearray) -> str:
    """The one of the first such field, as `canonical`."""
    value = _FIELD(content)
    return canonical(value[:_MAX_OCTETS].decode("utf-8", "replace")) if value else ""


def canonical(text: str) -> str:
    """What stands in its angle brackets, or all where there are none, without white space, at most MAX_LENGTH of it.

    Empty for what names nothing, and for what has characters that cannot be printed.
    """
    before, bracket, inside = text.partition("<")
    named = _BRACKET.split(inside if bracket else before, maxsplit=1)[0]
    found = "".join(named.split())[:MAX_LENGTH]
    return found if found.isprintable() else ""
