"""One collection: reads by key and page, optimistic writes, and the outbox inside each document."""

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from errors import Conflict, NotFound, Transient
from motor.motor_asyncio import AsyncIOMotorCollection
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from store import outbox
from store.failures import DUPLICATE_KEY, Commands
from store.operations import BulkResult, Change, Document, Insert, Operation
from store.outbox import OutboxRecord
from store.sessions import Sessions

Position = tuple[Any, Any]
Sort = Sequence[tuple[str, int]]

ASCENDING: Final = 1
DESCENDING: Final = -1

_PLUMBING_HIDDEN: Final = {outbox.FIELD: False}
_BATCH: Final = 200
_TOGETHER: Final = 100
"""Changes of one commit: it holds up others who write the same documents for its time."""
_WORTH_A_COMMIT: Final = 2
_WORTH_HALVING: Final = 16
_TRIES: Final = 2


@dataclass(frozen=True, slots=True)
class Page:
    """Some documents in order; `after` continues behind the last one and is None at the end."""

    documents: list[Document]
    after: Position | None


class Collection:
    """Documents of one kind: `{_id, version, ...}`, their `outbox` out of sight.

    Every write is one single-document write (or a bulk of them), acknowledged by a majority and
    journaled. Facts given to a write are in the same document, so both hold or neither. A
    `Transient` from a write leaves open whether it was done.

    What was published of a `grouped` one is noted in transactions, for a store that syncs its journal for each document
    of a bulk. A process that dies within one keeps the documents from all other writers until its successor ends its
    sessions, or the store gives it up (`transactionLifetimeLimitSeconds` of MongoDB): so not where people wait.
    """

    def __init__(
        self, documents: AsyncIOMotorCollection[Document], sessions: Sessions, *, grouped: bool = False
    ) -> None:
        self._documents = documents
        self._sessions = sessions
        self.grouped = grouped
        self._commands = Commands(documents.name)
        self._hooks: list[Callable[[], None]] = []

    @property
    def name(self) -> str:
        return self._documents.name

    def on_facts(self, hook: Callable[[], None]) -> None:
        """Calls the hook after each write of this process that carried facts; it must not block."""
        self._hooks.append(hook)

    async def get(self, document_id: Any, *, projection: Mapping[str, Any] | None = None) -> Document | None:
        return await self.find_one({"_id": document_id}, projection=projection)

    async def find_one(
        self, query: Mapping[str, Any], *, projection: Mapping[str, Any] | None = None
    ) -> Document | None:
        with self._commands.run("find"):
            return await self._documents.find_one(query, projection or _PLUMBING_HIDDEN)

    async def find(
        self,
        query: Mapping[str, Any],
        *,
        sort: Sort = (),
        limit: int = 0,
        projection: Mapping[str, Any] | None = None,
    ) -> AsyncGenerator[Document, None]:
        """All documents that match; `limit` 0 means no limit. See `page` for lists that people see."""
        cursor = self._documents.find(query, projection or _PLUMBING_HIDDEN, limit=limit)
        if sort:
            cursor = cursor.sort(list(sort))
        try:
            while True:
                with self._commands.run("find"):  # the consumer's work between two batches is not the store's
                    batch = await cursor.to_list(_BATCH)
                for document in batch:
                    yield document
                if len(batch) < _BATCH:
                    break
        finally:
            await cursor.close()

    async def page(
        self,
        query: Mapping[str, Any],
        sort_field: str,
        after: Position | None,
        limit: int,
        *,
        descending: bool = False,
        projection: Mapping[str, Any] | None = None,
    ) -> Page:
        """At most `limit` documents behind the position, in the order of (sort_field, _id).

        The query starts with an equality on an indexed owner and does not speak of the sort field
        or `_id`; an index on (owner, sort_field, _id) makes each page cost the same. Documents that
        share a value are never lost or shown twice: the rest of them is asked for by itself, since
        one query for both would need `$or`.
        """
        way, beyond = (DESCENDING, "$lt") if descending else (ASCENDING, "$gt")
        order = ((sort_field, way),) if sort_field == "_id" else ((sort_field, way), ("_id", way))
        parts: list[Mapping[str, Any]] = [query]
        if after is not None:
            value, last = after
            parts = [{**query, sort_field: {beyond: value}}]
            if sort_field != "_id":
                parts.insert(0, {**query, sort_field: value, "_id": {beyond: last}})
        documents: list[Document] = []
        for part in parts:
            wanted = limit + 1 - len(documents)  # one more than asked for tells whether there are more
            if wanted:
                found = self.find(part, sort=order, limit=wanted, projection=projection)
                documents += [document async for document in found]
        if len(documents) <= limit:
            return Page(documents, None)
        last_shown = documents[limit - 1]
        return Page(documents[:limit], (last_shown[sort_field], last_shown["_id"]))

    async def insert(self, document: Mapping[str, Any], facts: Sequence[OutboxRecord] = ()) -> None:
        """A new document; Conflict ALREADY_EXISTS when its id or a unique key of it is taken."""
        with self._commands.run("insert"):
            await self._documents.insert_one(Insert(document, facts).stored())
        self._tell(facts)

    async def update(
        self,
        document_id: Any,
        change: Mapping[str, Mapping[str, Any]],
        *,
        version: int | None = None,
        where: Mapping[str, Any] | None = None,
        upsert: bool = False,
        facts: Sequence[OutboxRecord] = (),
    ) -> None:
        """Changes one document and records the facts about it, in one write.

        With `version` only when that is its version, with `where` only when that holds: this is how
        work is claimed. Conflict STALE when it does not, NotFound when there is no such document.
        See `Change` for the rest.
        """
        condition = {**(where or {}), **({} if version is None else {"version": version})}
        wanted = Change(document_id, change, condition, upsert, facts)
        if not await self._update(wanted):
            if upsert or (condition and await self.get(document_id, projection={"_id": True}) is not None):
                raise Conflict("It was changed in the meantime.", reason="STALE")
            raise NotFound("There is no such document.")
        self._tell(facts)

    async def _update(self, wanted: Change) -> bool:
        """Whether the change was made; an upsert is tried once more when another one was first."""
        for _ in range(2):
            with self._commands.run("update"):
                try:
                    result = await self._documents.update_one(wanted.filter(), wanted.update(), upsert=wanted.upsert)
                except DuplicateKeyError:
                    if not wanted.upsert:
                        raise
                else:
                    return result.matched_count == 1 or result.upserted_id is not None
        return False

    async def update_all(
        self, ids: Sequence[Any], change: Mapping[str, Mapping[str, Any]], *, where: Mapping[str, Any]
    ) -> int:
        """The same change of many documents, each by itself and only when `where` holds; of how many.

        One command, which stores sync once: for a thousand documents that costs a fraction of a bulk.
        """
        wanted = Change({"$in": list(ids)}, change, where)
        with self._commands.run("update_all"):
            return (await self._documents.update_many(wanted.filter(), wanted.update())).matched_count

    async def together(self, changes: Sequence[Change]) -> list[bool]:
        """Changes of different documents in one commit where that can be, which costs one sync of the journal.

        Says which were made: one is not when its `where` did not hold, or there is no such document. Where another
        writer is in the way, each is made by itself. Upserts are not for this.
        """
        done: list[bool] = []
        for begin in range(0, len(changes), _TOGETHER):
            done += await self._some_together(changes[begin : begin + _TOGETHER])
        self._tell([fact for each, made in zip(changes, done, strict=True) if made for fact in each.facts])
        return done

    async def _some_together(self, changes: Sequence[Change]) -> list[bool]:
        """As `together`; of a commit in which some were not found, those are left out that have another version."""
        left = list(changes)
        for _ in range(_TRIES):
            if len(left) < _WORTH_A_COMMIT:
                break
            found = await self._in_one_commit([each.request() for each in left])
            if found is None:
                break
            if found == len(left):
                made = {id(each) for each in left}
                return [id(each) in made for each in changes]
            ids = {"_id": {"$in": [each.id for each in left]}}
            versions = {each["_id"]: each["version"] async for each in self.find(ids, projection={"version": True})}
            left = [each for each in left if each.where.get("version", versions.get(each.id)) == versions.get(each.id)]
        made = {id(each) for each in left if await self._update(each)}
        return [id(each) in made for each in changes]

    async def _in_one_commit(self, updates: Sequence[UpdateOne]) -> int | None:
        """How many documents were found; when these are not all, or None for a conflict, nothing was changed.

        It is not the driver's `with_transaction`, which would go on for two minutes where others write too.
        """
        if len(updates) < _WORTH_A_COMMIT:
            return None
        for _ in range(_TRIES):
            try:
                with self._commands.run("together"):
                    async with self._sessions.one() as session, session.start_transaction():
                        result = await self._documents.bulk_write(updates, ordered=False, session=session)
                        if result.matched_count < len(updates):
                            await session.abort_transaction()
                    return result.matched_count
            except Transient:
                continue
        return None

    async def delete(self, document_id: Any, *, where: Mapping[str, Any] | None = None) -> bool:
        """Whether there was one to delete."""
        with self._commands.run("delete"):
            result = await self._documents.delete_one({"_id": document_id, **(where or {})})
        return result.deleted_count == 1

    async def bulk(self, operations: Sequence[Operation], *, ordered: bool = False) -> BulkResult:
        """Many writes at once, in no promised order, each by itself: those refused stop no other.

        Upserts that were refused are tried once more, since another writer may have been first. With
        `ordered` the writes are done one after the other, and none after one that was refused.
        """
        if not operations:
            return BulkResult(0, 0, 0, 0, ())
        counts, refused = await self._bulk(operations, ordered=ordered)
        if not ordered and (again := [index for index in refused if _upserts(operations[index])]):
            more, still = await self._bulk([operations[index] for index in again])
            counts += more
            refused = sorted(set(refused) - set(again) | {again[index] for index in still})
        for operation in operations:
            if operation.facts:
                self._tell(operation.facts)
                break
        return BulkResult(
            inserted=counts["nInserted"],
            changed=counts["nMatched"],
            upserted=counts["nUpserted"],
            deleted=counts["nRemoved"],
            refused=tuple(refused),
        )

    async def _bulk(self, operations: Sequence[Operation], *, ordered: bool = False) -> tuple[Counter[str], list[int]]:
        requests = [operation.request() for operation in operations]
        with self._commands.run("bulk"):
            try:
                result = (await self._documents.bulk_write(requests, ordered=ordered)).bulk_api_result
            except BulkWriteError as error:
                result = cast("Document", error.details)
                others = any(failure["code"] != DUPLICATE_KEY for failure in result["writeErrors"])
                if others or result["writeConcernErrors"]:
                    raise
        counts = Counter({name: result[name] for name in ("nInserted", "nMatched", "nUpserted", "nRemoved")})
        return counts, sorted(failure["index"] for failure in result["writeErrors"])

    async def pending(self, limit: int) -> list[tuple[Any, list[OutboxRecord]]]:
        """The facts not yet published of at most `limit` documents: (document id, facts in order)."""
        found = self.find(outbox.PENDING, limit=limit, projection={outbox.FIELD: True})
        return [(document["_id"], outbox.records(document[outbox.FIELD])) async for document in found]

    async def published(self, document_id: Any, fact_ids: Sequence[str]) -> None:
        """These facts of the document are published and need not be kept."""
        await self.published_all([(document_id, fact_ids)])

    async def published_all(self, done: Sequence[tuple[Any, Sequence[str]]]) -> None:
        """`published` for many documents in one round trip."""
        pulls = [
            UpdateOne({"_id": document_id}, {"$pull": {outbox.FIELD: {"id": {"$in": list(fact_ids)}}}})
            for document_id, fact_ids in done
        ]
        for begin in range(0, len(pulls), _TOGETHER):
            await self._pull(pulls[begin : begin + _TOGETHER])

    async def _pull(self, pulls: Sequence[UpdateOne]) -> None:
        """Those of a grouped collection in one commit; where others write one of the documents, in two, and so on."""
        if self.grouped and await self._in_one_commit(pulls) == len(pulls):
            return
        if self.grouped and len(pulls) >= _WORTH_HALVING:
            half = len(pulls) // 2
            await self._pull(pulls[:half])
            await self._pull(pulls[half:])
        else:
            with self._commands.run("published"):
                await self._documents.bulk_write(pulls, ordered=False)

    def _tell(self, facts: Sequence[OutboxRecord]) -> None:
        if facts:
            for hook in self._hooks:
                hook()


def _upserts(operation: Operation) -> bool:
    return isinstance(operation, Change) and operation.upsert
