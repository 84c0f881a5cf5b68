"""The writes of one document: alone, or many in a bulk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pymongo import DeleteOne, InsertOne, UpdateOne

from store import outbox
from store.outbox import OutboxRecord

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Insert:
    """A new document. It gets `version` 1 unless it brings its own."""

    document: Mapping[str, Any]
    facts: Sequence[OutboxRecord] = ()

    def stored(self) -> Document:
        stored = {"version": 1, **self.document}
        if self.facts:
            stored[outbox.FIELD] = outbox.elements(self.facts)
        return stored

    def request(self) -> InsertOne[Document]:
        return InsertOne(self.stored())


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the document with this id.

    `change` holds MongoDB update operators (`{"$set": ...}`). `version` goes up by one unless the
    change touches it. It is made only when `where` holds too. With `upsert` a missing document is
    made from `_id`, the equalities of `where` and the change.
    """

    id: Any
    change: Mapping[str, Mapping[str, Any]]
    where: Mapping[str, Any] = field(default_factory=dict)
    upsert: bool = False
    facts: Sequence[OutboxRecord] = ()

    def filter(self) -> Document:
        return {"_id": self.id, **self.where}

    def update(self) -> Document:
        update: Document = {operator: dict(fields) for operator, fields in self.change.items()}
        if not any("version" in fields for fields in update.values()):
            update.setdefault("$inc", {})["version"] = 1
        if self.facts:
            update.setdefault("$push", {})[outbox.FIELD] = {"$each": outbox.elements(self.facts)}
        return update

    def request(self) -> UpdateOne:
        return UpdateOne(self.filter(), self.update(), upsert=self.upsert)


@dataclass(frozen=True, slots=True)
class Delete:
    """The end of the document with this id, facts not yet published included."""

    id: Any
    where: Mapping[str, Any] = field(default_factory=dict)
    facts: Sequence[OutboxRecord] = field(default=(), init=False)

    def request(self) -> DeleteOne:
        return DeleteOne({"_id": self.id, **self.where})


Operation = Insert | Change | Delete


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What a bulk write did, in documents.

    `refused` holds the indexes of the operations that met an existing unique key: inserts of what
    is there already, and upserts whose `where` did not hold.
    """

    inserted: int
    changed: int
    upserted: int
    deleted: int
    refused: tuple[int, ...]
