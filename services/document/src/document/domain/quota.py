"""What spaces and entities hold, in bytes of all versions of all files, the trash among them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from document.domain.node import Node

UNLIMITED: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class Charge:
    """Bytes that one write of a node adds to what its space and its entity hold; less than zero: takes away.

    The write leaves the id in the node (`Node.charge`), so that it can be told later whether it was made.
    """

    charge_id: str
    node_id: str
    space_id: str
    entity_id: str
    size: int
    at: datetime

    @property
    def holders(self) -> tuple[str, str]:
        return space(self.space_id), entity(self.entity_id)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a space or an entity holds and may hold. `pending` are charges whose writes may be made or not."""

    used: int
    limit: int
    pending: tuple[Charge, ...] = ()


@dataclass(frozen=True, slots=True)
class Recounted:
    """What a holder was counted to hold, and holds by its files."""

    holder: str
    counted: int
    held: int


def space(space_id: str) -> str:
    return f"space:{space_id}"


def entity(entity_id: str) -> str:
    return f"entity:{entity_id}"


def size_of(node: Node) -> int:
    return sum(version.size for version in node.versions)


def charge_of(charge_id: str, before: Node | None, after: Node) -> Charge | None:
    """What changes by a write, if anything does."""
    size = size_of(after) - (size_of(before) if before else 0)
    if not size:
        return None
    return Charge(charge_id, after.node_id, after.space_id, after.entity_id, size, after.updated_at)
