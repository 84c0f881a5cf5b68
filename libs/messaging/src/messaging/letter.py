"""A dead letter: a record as it came, and why it could not be settled otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum

from errors import Invalid, RossioError
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError

from messaging.catalogue import event_class
from messaging.envelope import UNREADABLE_REASON
from messaging.reader import Record

PREFIX = "x-"
"""Of the headers that a dead letter has beside those of its record; no record brings its own."""


class State(Enum):
    WAITING = "waiting"
    REDRIVING = "redriving"
    """A redrive was begun, and perhaps killed; the next one finishes it."""
    REDRIVEN = "redriven"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Claim:
    """Which redrive has a letter for itself, and until when."""

    by: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Letter:
    """A record that could not be settled otherwise, and why."""

    number: int
    state: State
    reason: str
    detail: str
    attempts: int
    origin: str
    """topic:partition:offset of the record."""
    at: datetime
    """When it became a dead letter."""
    key: bytes | None
    payload: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    """Those of the record, without the ones that say why."""
    began: Mapping[int, int] = field(default_factory=dict)
    """Of a redrive that was begun and not finished: where the partitions of the stream ended before it."""
    claim: Claim | None = None
    """Of a redrive that was begun and not finished: whose it is."""

    def header(self, name: str) -> str:
        """The header as text, empty where there is none."""
        return dict(self.headers).get(name, b"").decode(errors="replace")

    def content(self) -> dict[str, object] | None:
        """The event as proto3 JSON; None when it cannot be read. It may hold personal data."""
        try:
            message = event_class(self.header("ce_type")).FromString(self.payload or b"")
        except (Invalid, DecodeError):
            return None
        shown: dict[str, object] = MessageToDict(message)
        return shown

    @property
    def open(self) -> bool:
        """Whether something is left to do with it."""
        return self.state in {State.WAITING, State.REDRIVING}

    @property
    def whole(self) -> bool:
        """Whether it holds the record; of one that the client could not read it only says where it stands."""
        return self.reason != UNREADABLE_REASON

    def marked(self, state: State, ends: Mapping[int, int], claim: Claim | None, at: datetime) -> "Letter":
        """The letter after a mark, which was written at that time.

        A redrive that comes while another has the letter, or when it is settled, gets nothing. Of several that were
        killed the first says from where to look.
        """
        if state is not State.REDRIVING:
            return replace(self, state=state, began={}, claim=None)
        if not self.open or (self.claim is not None and at < self.claim.until):
            return self
        return replace(self, state=state, began=self.began or ends, claim=claim)


def letter_of(record: Record) -> Letter:
    """Reads a record of a dead-letter topic; a header of `why` that is not there is empty."""
    headers: dict[str, bytes] = dict(record.headers)
    said = {name[len(PREFIX) :]: (value or b"").decode() for name, value in headers.items() if name.startswith(PREFIX)}
    return Letter(
        number=record.offset,
        state=State.WAITING,
        reason=said.get("reason", ""),
        detail=said.get("detail", ""),
        attempts=int(said.get("attempts", 0)),
        origin=said.get("origin", ""),
        at=datetime.fromtimestamp(record.timestamp / 1000, UTC),
        key=record.key,
        payload=record.value,
        headers=tuple((name, value) for name, value in record.headers if not name.startswith(PREFIX)),
    )


def why_headers(record: Record, error: BaseException, *, attempts: int) -> list[tuple[str, bytes]]:
    """The headers of a letter: those of the record, and why it became one."""
    why = {
        "reason": reason_of(error),
        "detail": f"{type(error).__name__}: {error}"[:500],
        "attempts": str(attempts),
        "origin": f"{record.topic}:{record.partition}:{record.offset}",
    }
    return [
        *(header for header in record.headers if not header[0].startswith(PREFIX)),
        *((PREFIX + name, text.encode(errors="replace")) for name, text in why.items()),
    ]


def reason_of(error: BaseException) -> str:
    """A stable word for why: the reason of a typed error, else "BUG"."""
    return error.reason if isinstance(error, RossioError) else "BUG"
