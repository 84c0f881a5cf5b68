"""Bulk jobs: many messages by one template, from a table or to an audience, that can be stopped and taken up again."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from errors import Invalid

from notification.domain.notification import Notification
from notification.domain.vocabulary import Channel, Status

CHUNK: Final = 500
MOST_ROWS: Final = 200_000
ERRORS_TOLD: Final = 100
_ADDRESSES: Final = ("person_id", "email", "mobile", "locale", "reference")
_MAIL: Final = re.compile(r"[^\s@<>]{1,64}@[^\s@<>]{1,189}")


class JobState(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    # All messages are taken in; what becomes of them is still counted.
    DONE = "done"


class Fate(StrEnum):
    """What became of one row."""

    WAITING = "waiting"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    SUPPRESSED = "suppressed"


@dataclass(frozen=True, slots=True)
class Row:
    """One message; `number` counts from 1, as spreadsheets do without their heading."""

    number: int
    person_id: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    mobile: str = field(default="", repr=False)
    locale: str = ""
    reference: str = ""
    values: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong with a row: a reason, and the column; never the value."""

    number: int
    column: str
    reason: str


@dataclass(frozen=True, slots=True)
class Job:
    """`audience` is a serialised bitmap, or None where the rows come from a table; `chunk` is the next one."""

    job_id: str
    entity_id: str
    requested_by: str
    template: str
    version: int
    channels: tuple[Channel, ...]
    total: int
    at: datetime
    kept_until: datetime
    audience: bytes | None = field(default=None, repr=False)
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    state: JobState = JobState.RUNNING
    chunk: int = 0
    # 1, and one more each time that only the failed ones are sent again.
    round: int = 1
    fates: Mapping[Fate, int] = field(default_factory=dict)
    version_no: int = 1

    @property
    def chunks(self) -> int:
        return -(-self.total // CHUNK)


def chunk_name(job_id: str, number: int) -> str:
    """Those of one job sort in their order."""
    return f"{job_id}/{number:05}"


def row_key(job_id: str, row: int, round_: int) -> str:
    """The natural key of a message: a chunk that is worked through twice is sent once."""
    return f"bulk/{job_id}/{row}/{round_}"


def read_table(content: bytes) -> list[Row]:
    """The rows of a CSV table in UTF-8, with commas or semicolons, and a heading.

    Columns are `person_id`, `email`, `mobile`, `locale` and `reference`; all others are variables.

    Raises:
        Invalid: it is no such table, or too long.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid("the table is not in UTF-8", reason="TABLE_NOT_UTF8") from error
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text), delimiter=";" if first.count(";") > first.count(",") else ",", strict=True)
    try:
        heading = [each.strip() for each in next(reader, [])]
        if not {"person_id", "email", "mobile"} & set(heading) or len(set(heading)) < len(heading):
            raise Invalid("the heading names no recipients, or a column twice", reason="TABLE_HEADING")
        rows: list[Row] = []
        for cells in reader:
            if any(cells):
                rows.append(_row(len(rows) + 1, heading, cells))
            if len(rows) > MOST_ROWS:
                raise Invalid("the table has too many rows", reason="TABLE_TOO_LONG")
    except csv.Error as error:
        raise Invalid("the table cannot be read", reason="TABLE_UNREADABLE") from error
    return rows


def _row(number: int, heading: Sequence[str], cells: Sequence[str]) -> Row:
    if len(cells) != len(heading):
        raise Invalid(f"row {number} has another number of cells", reason="TABLE_UNEVEN", row=str(number))
    said = {name: cell.strip() for name, cell in zip(heading, cells, strict=True)}
    addressed = {name: said.pop(name) for name in _ADDRESSES if name in said}
    return Row(number, values=said, **addressed)


def wrong_recipient(row: Row) -> RowError | None:
    """What can be seen of a recipient without the directory."""
    if not (row.person_id or row.email or row.mobile):
        return RowError(row.number, "", "RECIPIENT_MISSING")
    if row.person_id and (row.email or row.mobile):
        return RowError(row.number, "person_id", "RECIPIENT_AMBIGUOUS")
    if row.email and not _MAIL.fullmatch(row.email):
        return RowError(row.number, "email", "ADDRESS_MALFORMED")
    return None


def fate(notification: Notification) -> Fate:
    """What became of a message on the channels that go out, or in the inbox where it goes nowhere else."""
    sent = [each for each in notification.dispatches if each.send]
    statuses = {each.status for each in sent if each.channel is not Channel.IN_APP} or {each.status for each in sent}
    for status, is_so in (
        (Status.DELIVERED, Fate.DELIVERED),
        (Status.PENDING, Fate.WAITING),
        (Status.SENT, Fate.SENT),
        (Status.FAILED, Fate.FAILED),
    ):
        if status in statuses:
            return is_so
    return Fate.SUPPRESSED
