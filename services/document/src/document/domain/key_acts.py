"""What was done to the keys of an entity."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Rotated:
    """Another data key; `contents` is how many contents are wrapped by it that were not."""

    contents: int


@dataclass(frozen=True, slots=True)
class Shredded:
    """No keys any more, and so no content; the master keys by their fingerprints."""

    reason: str
    retired_master_key: str
    master_key: str
    final: bool


@dataclass(frozen=True, slots=True)
class KeyAct:
    """An act on the keys of an entity, and when by whom."""

    act_id: str
    entity_id: str
    done: Rotated | Shredded
    actor_id: str
    actor_entity_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Receipt:
    """A signed statement: what was signed, the signature (Ed25519), and the public key to check it with."""

    statement: bytes
    signature: bytes
    public_key: bytes
