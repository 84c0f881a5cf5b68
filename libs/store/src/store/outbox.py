"""Facts that ride in the document whose change they record.

An aggregate's document holds the facts that are not yet published in its array `outbox`, so one
single-document write changes the state and records the facts. `messaging.Relay` publishes them and
pulls them out again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

FIELD: Final = "outbox"

# The one query that finds few documents on every server: a sparse index on `outbox.at` and a single
# `$gt`. `$exists` and partial indexes scan on the embedded ones.
PENDING: Final[Mapping[str, Any]] = {"outbox.at": {"$gt": datetime.fromtimestamp(0, UTC)}}


@dataclass(frozen=True, slots=True)
class OutboxRecord:
    """One fact, ready to be published as it is.

    `id` is made when the fact is made and never again; `at` is aware and UTC, and is kept in
    milliseconds. The headers' values are bytes.
    """

    id: str
    at: datetime
    topic: str
    key: bytes
    payload: bytes
    headers: tuple[tuple[str, bytes], ...]


def elements(facts: Sequence[OutboxRecord]) -> list[dict[str, Any]]:
    """The facts as elements of the `outbox` array, in their order."""
    return [
        {
            "id": fact.id,
            "at": fact.at,
            "topic": fact.topic,
            "key": fact.key,
            "payload": fact.payload,
            "headers": [[name, value] for name, value in fact.headers],
        }
        for fact in facts
    ]


def records(elements: Sequence[Mapping[str, Any]]) -> list[OutboxRecord]:
    """The reverse of `elements`."""
    return [
        OutboxRecord(
            id=element["id"],
            at=element["at"],
            topic=element["topic"],
            key=element["key"],
            payload=element["payload"],
            headers=tuple((name, value) for name, value in element["headers"]),
        )
        for element in elements
    ]
