"""The header section of a mail, read totally: any bytes give `Headers` or `Invalid`, and never another error.

It reads fields, not their grammar: what a field means is asked where it is needed, of the bytes kept here.
"""

import re
from dataclasses import dataclass

import errors

MAX_OCTETS = 256 * 1024
MAX_FIELDS = 1000

# A field name of RFC 5322 section 3.6.8; white space before the colon as section 4.5.8 lets receivers take it.
_FIELD = re.compile(rb"([\x21-\x39\x3b-\x7e]{1,200})[ \t]*:[ \t]*([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)\r\n")


@dataclass(frozen=True, slots=True)
class Headers:
    """The fields in their order, names in lower case, folded values as they stand; `end` is the octets they take."""

    fields: tuple[tuple[str, bytes], ...]
    end: int

    def all(self, name: str) -> tuple[bytes, ...]:
        return tuple(value for field, value in self.fields if field == name)

    def has(self, name: str) -> bool:
        return any(field == name for field, _ in self.fields)


class Finder:
    """Finds the first field of a name without reading the others, where `read` would find it."""

    def __init__(self, name: str) -> None:
        field = rb"%b[ \t]*:[ \t]*([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)\r\n" % name.encode()
        self._first = re.compile(field, re.IGNORECASE)
        # It begins with an octet that has no case, to which the search can leap.
        self._later = re.compile(rb"\n" + field, re.IGNORECASE)

    def __call__(self, content: bytes | bytearray) -> bytes | None:
        """Its value, folded as it stands; None without such a field, or where it is beyond MAX_OCTETS."""
        if content.startswith(b"\r\n"):
            return None
        empty_line = content.find(b"\r\n\r\n", 0, MAX_OCTETS)
        end = empty_line + 2 if empty_line >= 0 else min(len(content), MAX_OCTETS)
        found = self._first.match(content, 0, end) or self._later.search(content, 0, end)
        return found[1] if found else None


def read(content: bytes) -> Headers:
    """Read the fields up to the empty line, or the end of the mail.

    `Invalid` (MALFORMED_MAIL) when a line before the empty one is no field: programs disagree on where
    such a header section ends, and what one checks another would not show. `Invalid` (HEADER_TOO_LARGE)
    when it has more than 256 KiB or 1,000 fields.
    """
    fields: list[tuple[str, bytes]] = []
    position = 0
    while position < len(content) and not content.startswith(b"\r\n", position):
        match = _FIELD.match(content, position, position + MAX_OCTETS)
        if match is None:
            line = content.count(b"\n", 0, position) + 1
            raise errors.Invalid(f"line {line} is not a header field", reason="MALFORMED_MAIL")
        position = match.end()
        fields.append((match[1].decode("ascii").lower(), match[2]))
        if position > MAX_OCTETS or len(fields) > MAX_FIELDS:
            raise errors.Invalid("the header section is too large", reason="HEADER_TOO_LARGE")
    return Headers(tuple(fields), position)


def section(content: bytes) -> bytes:
    """The header section itself, for a report that returns it; what is no header section gives nothing."""
    try:
        return content[: read(content).end]
    except errors.Invalid:
        return b""
