"""How often indexes were asked to be made anew, in MongoDB: one document an entity."""

from collections.abc import Mapping

from errors import Conflict
from messaging import audited
from store import Collection, Document

from document.domain.node import RECEIPTS, Act


class EpochStore:
    """The port `Epochs`."""

    def __init__(self, epochs: Collection) -> None:
        self._epochs = epochs

    async def all(self) -> Mapping[str, int]:
        return {document["_id"]: document["epoch"] async for document in self._epochs.find({})}

    async def advance(self, entity_id: str, act: Act, *, extract: bool) -> None:
        fact = audited(
            "document.index.rebuild",
            at=act.at,
            entity_id=entity_id,
            actor=act.subject.id,
            actor_entity_id=act.subject.entity_id,
            resource=entity_id,
            details={"extract": str(extract).lower()},
        )
        try:
            await self._epochs.insert({"_id": entity_id, "epoch": 1, "receipts": [act.act_id]}, [fact])
        except Conflict:
            change: dict[str, Document] = {
                "$inc": {"epoch": 1},
                "$push": {"receipts": {"$each": [act.act_id], "$slice": -RECEIPTS}},
            }
            try:
                await self._epochs.update(entity_id, change, where={"receipts": {"$ne": act.act_id}}, facts=[fact])
            except Conflict:
                return  # this very act, once more
