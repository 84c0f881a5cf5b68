"""Templates in MongoDB: a document for each version."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from errors import Conflict
from rpc import Caller
from store import DESCENDING, Collection, Document, Index

from notification.adapters import wire
from notification.domain.template import Kind, State, Template, Text
from notification.domain.vocabulary import Topic

INDEXES: Final = (
    Index(["entity_id", "name", "version_no"]),
    Index(["entity_id", "name", "state", "version_no"]),
    Index(["request_key"], unique=True),
)
_MOST_HELD: Final = 1000
_BELIEVED_SECONDS: Final = 2.0
_DIGITS: Final = 6


class StoredTemplates:
    def __init__(self, templates: Collection, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._templates = templates
        self._monotonic = monotonic
        self._approved: dict[str, Template] = {}
        self._newest_approved: dict[tuple[str, str], tuple[float, Template]] = {}

    async def add(self, template: Template, by: Caller, request_key: str) -> Template:
        while True:
            known = await self._templates.find_one({"request_key": request_key})
            if known is not None:
                return _template(known)
            last = await self.newest(template.entity_id, template.name, approved=False)
            document = _written(template, last.version + 1 if last else 1)
            audited = _audited("notification.template.put", by, document, template.created_at)
            try:
                await self._templates.insert({**document, "request_key": request_key}, [audited])
            except Conflict:  # somebody else wrote that version, or this request comes twice at once
                continue
            return _template(document)

    async def approve(self, template: Template, by: Caller, at: datetime) -> None:
        document = _written(template, template.version)
        audited = _audited("notification.template.approve", by, document, at)
        change = {"$set": {"state": State.APPROVED.value, "approver": by.subject, "approved_at": at}}
        try:
            await self._templates.update(document["_id"], change, where={"state": State.DRAFT.value}, facts=[audited])
        except Conflict:  # it was approved in the meantime
            return
        finally:
            self._newest_approved.pop((template.entity_id, template.name), None)

    async def version(self, entity_id: str, name: str, version: int) -> Template | None:
        place = _place(entity_id, name, version)
        if place in self._approved:  # it never changes again
            return self._approved[place]
        found = await self._templates.get(place)
        template = None if found is None else _template(found)
        if template is not None and template.state is State.APPROVED:
            if len(self._approved) >= _MOST_HELD:
                self._approved.clear()
            self._approved[place] = template
        return template

    async def newest(self, entity_id: str, name: str, *, approved: bool) -> Template | None:
        """An approved one is believed for two seconds; what this process approves it knows at once."""
        if not approved:
            return await self._newest(entity_id, name, approved=False)
        at, held = self._newest_approved.get((entity_id, name), (float("-inf"), None))
        if self._monotonic() - at >= _BELIEVED_SECONDS:
            at, held = self._monotonic(), await self._newest(entity_id, name, approved=True)
            if held is not None:
                self._newest_approved[entity_id, name] = (at, held)
        return held

    async def _newest(self, entity_id: str, name: str, *, approved: bool) -> Template | None:
        query: Document = {"entity_id": entity_id, "name": name}
        if approved:
            query["state"] = State.APPROVED.value
        async for found in self._templates.find(query, sort=[("version_no", DESCENDING)], limit=1):
            return _template(found)
        return None

    async def page(self, entity_id: str, after: tuple[str, int] | None, limit: int) -> list[Template]:
        position = None if after is None else (_place(entity_id, *after), "")
        page = await self._templates.page({"entity_id": entity_id}, "_id", position, limit)
        return [_template(found) for found in page.documents]


def _place(entity_id: str, name: str, version: int) -> str:
    """The id of a version: those of one name in order."""
    return f"{entity_id}/{name}/{version:0{_DIGITS}}"


def _audited(action: str, by: Caller, document: Mapping[str, Any], at: datetime) -> Any:
    return wire.audited(action, by, resource=document["_id"], at=at, details={"version": str(document["version_no"])})


def _written(each: Template, version: int) -> Document:
    return {
        "_id": _place(each.entity_id, each.name, version),
        "entity_id": each.entity_id,
        "name": each.name,
        "version_no": version,
        "topic": each.topic.value,
        "variables": [[name, kind.value] for name, kind in each.variables.items()],
        "texts": [[locale, text.title, text.mail, text.sms] for locale, text in each.texts.items()],
        "author": each.author,
        "created_at": each.created_at,
        "state": each.state.value,
    }


def _template(found: Mapping[str, Any]) -> Template:
    return Template(
        entity_id=found["entity_id"],
        name=found["name"],
        version=found["version_no"],
        topic=Topic(found["topic"]),
        variables={name: Kind(kind) for name, kind in found["variables"]},
        texts={locale: Text(title, mail, sms) for locale, title, mail, sms in found["texts"]},
        author=found["author"],
        created_at=found["created_at"],
        state=State(found["state"]),
    )
