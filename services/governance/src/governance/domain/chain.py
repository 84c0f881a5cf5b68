"""The hash chain of one entity: each record is bound to all before it.

A record's hash is SHA-256 over the hash before it, its sequence (8 bytes, big endian) and its bytes,
as rossio/governance/v1/audit.proto says; so a record cannot be changed, left out, put in or moved
without changing every hash after it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Head:
    """How far a chain goes: the number of its records, and the hash of the last one."""

    length: int = 0
    hash: bytes = bytes(32)


@dataclass(frozen=True, slots=True)
class Entry:
    """An audit record as it came in: its id, the entity in whose chain it stands, and its bytes."""

    audit_id: str
    entity_id: str
    record: bytes


@dataclass(frozen=True, slots=True)
class Link:
    """A record in its chain; `sequence` counts from 1 without a gap."""

    sequence: int
    entry: Entry
    hash: bytes

    @property
    def head(self) -> Head:
        """The chain up to here."""
        return Head(self.sequence, self.hash)


def chained(head: Head, entries: Iterable[Entry]) -> Iterator[Link]:
    """The entries as the links that follow the head."""
    for entry in entries:
        sequence = head.length + 1
        digest = hashlib.sha256(head.hash + sequence.to_bytes(8, "big") + entry.record).digest()
        link = Link(sequence, entry, digest)
        yield link
        head = link.head
