"""The rules of each scope as one document, so that their order is one state; and the live copy of all of them.

{_id: scope ("central" for the ministry's), version,
entries: [{rule: {...}, by, at, request}], history: [{..., removed}], outbox: [...]}
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import telemetry
from store import Collection, Document

from mail_routing.adapters.access import audited
from mail_routing.application.ports import Deed
from mail_routing.application.rule_changes import Entry, Shelf
from mail_routing.domain.rules import CENTRAL, Action, Book, Condition, Field, Rule, Verb

_log = telemetry.logger(__name__)
_CENTRAL_ID: Final = "central"
_HISTORY: Final = 200


class StoredShelves:
    """`Shelves`, one document a scope."""

    def __init__(self, shelves: Collection) -> None:
        self._shelves = shelves

    async def get(self, scope: str) -> Shelf:
        found = await self._shelves.get(scope or _CENTRAL_ID)
        return _shelf(found) if found else Shelf(scope)

    async def put(self, shelf: Shelf, entry: Entry, former: Entry | None, deed: Deed) -> None:
        kept = [each for each in shelf.entries if each is not former]
        entries = kept if entry.removed else [*kept, entry]
        past = [each for each in (former, entry if entry.removed else None) if each is not None]
        history = [*shelf.history, *past][-_HISTORY:]
        fields = {"entries": list(map(_entry_document, entries)), "history": list(map(_entry_document, history))}
        verb = "remove" if entry.removed else "put"
        details = {"name": entry.rule.name, "version": str(entry.rule.version)}
        fact = audited(f"mail.rule.{verb}", shelf.scope, entry.rule.rule_id, deed, **details)
        document_id = shelf.scope or _CENTRAL_ID
        if shelf.version:
            await self._shelves.update(document_id, {"$set": fields}, version=shelf.version, facts=[fact])
        else:
            await self._shelves.insert({"_id": document_id, **fields}, facts=[fact])


class LiveBooks:
    """`Books`: every book in memory, as it was read last."""

    def __init__(self, shelves: Collection) -> None:
        self._shelves = shelves
        self._books: dict[str, Book] = {}

    def of(self, scope: str) -> Book:
        return self._books.get(scope) or Book(scope)

    @property
    def empty(self) -> bool:
        return not any(book.rules for book in self._books.values())

    async def refresh(self) -> None:
        """Reads the books that have changed."""
        versions = self._shelves.find({}, projection={"version": True})
        changed = [
            found["_id"] async for found in versions if found["version"] != self.of(_scope(found["_id"])).version
        ]
        for document_id in changed:
            document = await self._shelves.get(document_id, projection={"history": False, "outbox": False})
            if document is not None:
                book = _shelf(document).book()
                self._books[book.scope] = book
                _log.info("transport rules changed", version=book.version)


def _scope(document_id: str) -> str:
    return CENTRAL if document_id == _CENTRAL_ID else document_id


def _shelf(document: Document) -> Shelf:
    return Shelf(
        scope=_scope(document["_id"]),
        entries=tuple(map(_entry, document["entries"])),
        history=tuple(map(_entry, document.get("history", ()))),
        version=document["version"],
    )


def _entry_document(entry: Entry) -> Document:
    return asdict(entry)


def _entry(document: Mapping[str, Any]) -> Entry:
    rule = document["rule"]
    return Entry(
        rule=Rule(
            rule_id=rule["rule_id"],
            name=rule["name"],
            priority=rule["priority"],
            conditions=tuple(map(_condition, rule["conditions"])),
            exceptions=tuple(map(_condition, rule["exceptions"])),
            actions=tuple(Action(Verb(each["verb"]), each["value"], each["name"]) for each in rule["actions"]),
            enabled=rule["enabled"],
            version=rule["version"],
        ),
        by=document["by"],
        at=document["at"],
        request=document["request"],
        removed=document["removed"],
    )


def _condition(document: Mapping[str, Any]) -> Condition:
    return Condition(Field(document["field"]), tuple(document["values"]), document["name"])
