"""The chains in MongoDB: one document a record, and nothing beside it."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from errors import Conflict
from store import Collection, Index, Insert

from governance.domain.chain import Entry, Head, Link

INDEXES = (Index(["entity", "sequence"], unique=True), Index(["opens"], sparse=True))
_PAGE = 500


class ChainStore:
    """Records as `{_id: audit id, entity, sequence, record, hash}`; the first of a chain has `opens`: the entity.

    The unique indexes on `_id` and on (entity, sequence) are what makes each record stand once and
    each chain have no fork, whatever writes at the same time.
    """

    def __init__(self, records: Collection) -> None:
        self._records = records
        self._heads: dict[str, Head] = {}

    async def known(self, audit_ids: Sequence[str]) -> set[str]:
        found = self._records.find({"_id": {"$in": list(audit_ids)}}, projection={"_id": True})
        return {document["_id"] async for document in found}

    async def head(self, entity_id: str) -> Head:
        """Sequences have no gap, so doubling and halving steps find the last one by look-ups of one key.

        They cost the same on every server, where a sort with a limit makes the embedded ones scan
        the chain; and the search begins at the head found last, so it is mostly one look-up.
        """
        head, step = self._heads.get(entity_id, Head()), 1
        while found := await self._at(entity_id, head.length + step):
            head, step = found, step * 2
        while step > 1:
            step //= 2
            head = await self._at(entity_id, head.length + step) or head
        self._heads[entity_id] = head
        return head

    async def _at(self, entity_id: str, sequence: int) -> Head | None:
        query = {"entity": entity_id, "sequence": sequence}
        found = await self._records.find_one(query, projection={"hash": True})
        return Head(sequence, found["hash"]) if found else None

    async def append(self, links: Sequence[Link]) -> None:
        result = await self._records.bulk([Insert(_document(link)) for link in links], ordered=True)
        if result.refused:
            raise Conflict("a sequence or a record was taken", reason="ALREADY_EXISTS")

    async def read(self, entity_id: str, after: int) -> AsyncIterator[Link]:
        """Page by page, so that a slow reader holds no cursor; a page is a range, since there is no gap."""
        while True:
            span = {"$gt": after, "$lte": after + _PAGE}
            count = 0
            async for document in self._records.find(
                {"entity": entity_id, "sequence": span}, sort=[("sequence", 1)], projection={"version": False}
            ):
                yield _link(document)
                count += 1
            if count < _PAGE:
                return
            after += _PAGE

    async def entities(self, after: str | None, limit: int) -> Sequence[str]:
        span = {"$gte": ""} if after is None else {"$gt": after}
        found = self._records.find({"opens": span}, sort=[("opens", 1)], limit=limit, projection={"opens": True})
        return [document["opens"] async for document in found]


def _document(link: Link) -> dict[str, Any]:
    entry = link.entry
    document: dict[str, Any] = {
        "_id": entry.audit_id,
        "entity": entry.entity_id,
        "sequence": link.sequence,
        "record": entry.record,
        "hash": link.hash,
    }
    return {**document, "opens": entry.entity_id} if link.sequence == 1 else document


def _link(document: dict[str, Any]) -> Link:
    entry = Entry(document["_id"], document["entity"], document["record"])
    return Link(document["sequence"], entry, document["hash"])
