"""The addresses in a From or Sender field (RFC 5322 section 3.4), read strictly.

What mail programs would read in different ways is not read at all: who is asked whether they may use an address
has to be asked about the one that people will see.
"""

import re

import errors

from mail_routing.domain import address

_MOST_OCTETS = 2_000
_COMMENT = re.compile(r"\((?:[^()\\]|\\.)*\)")
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_WORD = r"[^\s\"<>(),:;@\\]+"
_SPEC = rf"(?:{_QUOTED}|{_WORD})@{_WORD}"
_MAILBOX = re.compile(rf"(?:{_QUOTED}|[^\"<>(),:;@\\])*<\s*({_SPEC})\s*>\s*|\s*({_SPEC})\s*")


def read(value: bytes) -> tuple[str, ...]:
    """The addresses of a list of mailboxes, at least one.

    `Invalid` (MALFORMED_AUTHOR) when it is not such a list, beyond doubt.
    """
    try:
        text = re.sub(r"\r\n(?=[ \t])", "", value.decode())
    except UnicodeDecodeError:
        raise _malformed() from None
    if len(value) > _MOST_OCTETS:
        raise _malformed()
    found: list[str] = []
    position, text = 0, _without_comments(text)
    while True:
        match = _MAILBOX.match(text, position)
        if match is None:
            raise _malformed()
        try:
            found.append(address.canonical(address.parse(match[1] or match[2])))
        except errors.Invalid:
            raise _malformed() from None
        position = match.end()
        if position == len(text):
            return tuple(found)
        if text[position] != ",":
            raise _malformed()
        position += 1


def _without_comments(text: str) -> str:
    """Comments nest, and do not stand inside of quotes."""
    parts = re.split(rf"({_QUOTED})", text)
    for index in range(0, len(parts), 2):
        while (shorter := _COMMENT.sub(" ", parts[index])) != parts[index]:
            parts[index] = shorter
    return "".join(parts)


def _malformed() -> errors.Invalid:
    return errors.Invalid("From or Sender names no mailbox beyond doubt", reason="MALFORMED_AUTHOR")
