"""How often indexes were asked to be made anew, in MongoDB: one document an entity."""

from collections.abc import Mapping

import telemetry
from errors import Conflict
from messaging import fact, new_id
from store import Collection, Document

from document.domain.node import RECEIPTS, Act


class EpochStore:
    """The port `Epochs`."""

    def __init__(self, epochs: Collection) -> None:
        self._epochs = epochs

    async def all(self) -> Mapping[str, int]:
        return {document["_id"]: document["epoch"] async for document in self._epochs.find({})}

    async def advance(self, entity_id: str, act: Act, *, extract: bool) -> None:
        audit_id = new_id()
        audit = telemetry.audit.action(
            "document.index.rebuild",
            id=audit_id,
            at=act.at,
            entity_id=entity_id,
            actor=act.subject.id,
            actor_entity_id=act.subject.entity_id,
            resource=entity_id,
            details={"extract": str(extract).lower()},
        )
        facts = [fact(audit, id=audit_id, at=act.at)]
        try:
            await self._epochs.insert({"_id": entity_id, "epoch": 1, "receipts": [act.act_id]}, facts)
        except Conflict:
            change: dict[str, Document] = {
                "$inc": {"epoch": 1},
                "$push": {"receipts": {"$each": [act.act_id], "$slice": -RECEIPTS}},
            }
            try:
                await self._epochs.update(entity_id, change, where={"receipts": {"$ne": act.act_id}}, facts=facts)
            except Conflict:
                return  # this very act, once more
