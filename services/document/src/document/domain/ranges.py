"""Ranges of content as HTTP asks for them (RFC 9110, section 14)."""

import re
from dataclasses import dataclass

from errors import Invalid

_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))", re.ASCII)


@dataclass(frozen=True, slots=True)
class Part:
    """In bytes; `length` is at least 1."""

    offset: int
    length: int


def requested(header: str, size: int) -> Part | None:
    """The one range that a Range header asks for of content of that size.

    None is all of it: nothing was asked for, or what a server may ignore (several ranges, another
    unit, a form that is none).

    Raises:
        Invalid: RANGE, there is nothing there.
    """
    match = _RANGE.fullmatch(header.replace(" ", ""))
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        offset, end = max(size - int(suffix), 0), size
    else:
        offset, end = int(first), min(int(last) + 1, size) if last else size
        if last and int(last) < offset:
            return None
    if offset >= end:
        raise Invalid(f"the content ends at {size}", reason="RANGE", size=str(size))
    return Part(offset, end - offset)


def content_range(part: Part, size: int) -> str:
    """The Content-Range header of an answer."""
    return f"bytes {part.offset}-{part.offset + part.length - 1}/{size}"
