"""Where a stream is taken up again: a time, told to clients as text."""

from datetime import UTC, datetime, timedelta
from typing import Final

from errors import Invalid

OVERLAP: Final = timedelta(seconds=10)
"""Clocks of processes differ, and writes take a while: so much is told again rather than missed."""


def written(at: datetime) -> str:
    return str(int(at.timestamp() * 1000))


def read(cursor: str) -> datetime | None:
    """None for an empty one; raises Invalid where it is none."""
    if not cursor:
        return None
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 15):
        raise Invalid("the cursor is none", reason="CURSOR_MALFORMED")
    return datetime.fromtimestamp(int(cursor) / 1000, UTC)
