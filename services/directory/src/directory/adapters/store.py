"""Records in MongoDB: one collection for all kinds, so that one unique index gives each name to one of them.

`{_id: "person/p000001", version, body, claims, number, shelf, request, outbox}`: `body` has the fields of the
record, `claims` the addresses or domains that are its own, `shelf` the list that it stands in, `request` the one
that wrote it last. A field that would be empty is not there, which keeps it out of its index.
"""

import asyncio
from collections.abc import Collection as Some
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, fields, replace
from datetime import datetime
from typing import Any, Final, TypeVar

import store
from errors import Conflict, NotFound
from store import Document, Index, Insert, known

from directory.adapters import wire
from directory.application.ports import Begun, Deed
from directory.domain.plan import Change, Moved
from directory.domain.records import Directory, Entity, Group, Person, Record, Unit

RECORD_INDEXES: Final = (
    Index(["claims"], unique=True, sparse=True),
    Index(["number"], unique=True, sparse=True),
    Index(["shelf", "_id"]),
)
_NUMBERS: Final = "numbers"
_OPTIONAL: Final = ("claims", "number", "shelf", "request")
_ATTEMPTS: Final = 20
_FIRST_LOOK_SECONDS: Final = 0.01
_LAST_LOOK_SECONDS: Final = 1.0

_R = TypeVar("_R", Person, Entity)


class StoredRecords:
    """The port `Records`.

    Args:
        records: see above.
        counters: the counter of people's numbers.
        imports: one document for each import that began.
    """

    def __init__(self, records: store.Collection, counters: store.Collection, imports: store.Collection) -> None:
        self._records = records
        self._counters = counters
        self._imports = imports

    async def everything(self) -> Directory:
        return Directory.of([_record(document) async for document in self._records.find({})])

    async def some(self, keys: Some[str], names: Some[str] = ()) -> Directory:
        found = Directory()
        for field, values in (("_id", keys), ("claims", names)):
            if values:
                async for document in self._records.find({field: {"$in": list(values)}}):
                    found.put(_record(document))
        return found

    async def people(self, entity_id: str, after: str, limit: int) -> tuple[Sequence[Person], str]:
        return await self._shelf(Person, _people_of(entity_id), "person", after, limit)

    async def entities(self, after: str, limit: int) -> tuple[Sequence[Entity], str]:
        return await self._shelf(Entity, _ENTITIES, "entity", after, limit)

    async def _shelf(self, kind: type[_R], shelf: str, prefix: str, after: str, limit: int) -> tuple[Sequence[_R], str]:
        position = (key := f"{prefix}/{after}", key) if after else None
        page = await self._records.page({"shelf": shelf}, "_id", position, limit)
        records = [record for record in map(_record, page.documents) if isinstance(record, kind)]
        return records, str(page.after[0]).partition("/")[2] if page.after else ""

    async def made_by(self, record: Record, request: str) -> bool:
        document = await self._records.get(record.key, projection={"version": True, "request": True})
        return document is not None and document["version"] == record.version and document.get("request") == request

    async def put(self, change: Change, deed: Deed) -> None:
        new = _next(change)
        facts = (wire.changed(new, deed.at), wire.audited(new, deed))
        document = {**_document(new), "request": deed.request}
        if change.kept is None:
            await self._records.insert(document, facts)
            return
        try:
            await self._records.update(new.key, _replacing(document), version=change.kept.version, facts=facts)
        except NotFound as error:
            raise Conflict("the record is gone", reason="STALE") from error

    async def put_all(self, changes: Sequence[Change], at: datetime) -> None:
        operations: list[store.Operation] = []
        for change in changes:
            new = _next(change)
            facts = (wire.changed(new, at),)
            document = _document(new)
            if change.kept is None:
                operations.append(Insert(document, facts))
            else:
                operations.append(store.Change(new.key, _replacing(document), _as(change.kept), facts=facts))
        await self._write(operations)

    async def published(self, within: float) -> None:
        wait = _FIRST_LOOK_SECONDS
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while await self._records.pending(1):
                    await asyncio.sleep(wait)
                    wait = min(2 * wait, _LAST_LOOK_SECONDS)

    async def release(self, moved: Sequence[Moved]) -> None:
        await self._write([store.Change(kept.key, _without(kept, names), _as(kept)) for kept, names in moved])

    async def _write(self, operations: Sequence[store.Operation]) -> None:
        done = await self._records.bulk(operations)
        if done.inserted + done.changed < len(operations):
            raise Conflict("the directory was changed meanwhile; import again", reason="STALE")

    async def next_number(self) -> int:
        counter = await self._counters.get(_NUMBERS)
        return 1 if counter is None else int(counter["next"])

    async def reserve_numbers(self, count: int) -> int:
        for _ in range(_ATTEMPTS):
            counter = await self._counters.get(_NUMBERS)
            first = 1 if counter is None else int(counter["next"])
            try:
                if counter is None:
                    await self._counters.insert({"_id": _NUMBERS, "next": first + count})
                else:
                    change = {"$set": {"next": first + count}}
                    await self._counters.update(_NUMBERS, change, version=counter["version"])
            except Conflict:
                continue
            return first
        raise Conflict("too many want a number at once; repeat the request", reason="BUSY")

    async def begin_import(self, begun: Begun) -> None:
        document = {
            "_id": begun.import_id,
            "at": begun.at,
            "by": begun.by.subject,
            "changes": {entity_id: dict(counts) for entity_id, counts in begun.changes.items()},
            "digests": dict(begun.digests),
        }
        await self._imports.insert(document, tuple(wire.import_audited(begun)))


_ENTITIES: Final = "entities"


def _people_of(entity_id: str) -> str:
    return f"people/{entity_id}"


def _next(change: Change) -> Record:
    return replace(change.record, version=(change.kept.version if change.kept else 0) + 1)


def _document(record: Record) -> Document:
    body = asdict(record)
    document: Document = {"_id": record.key, "version": body.pop("version"), "body": body}
    if record.claims:
        document["claims"] = sorted(record.claims)
    match record:
        case Person():
            document["number"] = body.pop("number")
            if record.active:
                document["shelf"] = _people_of(record.entity_id)
        case Entity():
            document["shelf"] = _ENTITIES
    return document


def _replacing(document: Document) -> dict[str, dict[str, Any]]:
    """The update that leaves just this; a missing field goes, even one that another write put there."""
    wanted = {name: value for name, value in document.items() if name not in {"_id", "version"}}
    gone = {name: True for name in _OPTIONAL if name not in document}
    return {"$set": wanted, "$unset": gone} if gone else {"$set": wanted}


def _without(kept: Record, names: frozenset[str]) -> dict[str, dict[str, Any]]:
    """The update that gives names free; the version stays, since the record says what it said.

    An empty list would be a value of the unique index, which only one record could have.
    """
    left = sorted(kept.claims - names)
    claims: dict[str, dict[str, Any]] = {"$set": {"claims": left}} if left else {"$unset": {"claims": True}}
    return {**claims, "$inc": {"version": 0}}


def _as(kept: Record) -> dict[str, Any]:
    """That the document is still what was kept."""
    return {"version": kept.version}


_KINDS: Final[dict[str, type[Record]]] = {"entity": Entity, "unit": Unit, "person": Person, "group": Group}
_LISTS: Final = {
    name: frozenset(field.name for field in fields(kind) if field.type == tuple[str, ...])
    for name, kind in _KINDS.items()
}


def _record(document: Document) -> Record:
    kind = document["_id"].partition("/")[0]
    body = dict(document["body"])
    for name in _LISTS[kind] & body.keys():  # what was written before a field was there reads as without it
        body[name] = tuple(body[name])
    if kind == "person":
        body["number"] = document["number"]
    return known(_KINDS[kind], {**body, "version": document["version"]})
