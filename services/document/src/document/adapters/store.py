"""Nodes in MongoDB: one document a node, with its grants, its versions and the facts not yet published.

A folder's name index is (shelf, key), see `Node.place`. Only folders have `folder_in`, which is their
parent: so a tree of many files is quick to measure. `versions.blob` is indexed, so that it can
be asked which content is referred to.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from store import Collection, Document, Index, Insert, known

from document.adapters import wire
from document.application.ports import ChangedPage, NodePage, Position, Stamped
from document.domain.deeds import Deed
from document.domain.node import (
    ARRIVING,
    MAX_DEPTH,
    PURGED,
    SWEPT,
    Kind,
    Lock,
    Node,
    Version,
    swept_by,
    trash_of,
)
from document.domain.permissions import Grant, Grantee, GranteeKind, Label, Role

INDEXES = (
    Index(["shelf", "key"], unique=True),
    Index(["grants.to", "space_id"]),
    Index(["versions.blob"], sparse=True),
    Index(["folder_in"], sparse=True),
    Index(["space_id", "changed_at", "_id"]),
    Index(["changed_at", "_id"]),
)
HOPS = 4 * MAX_DEPTH
"""Folders that are made deep, while what they lie in moves deeper, end beyond `MAX_DEPTH`; nothing ends beyond this."""
TICK = timedelta(milliseconds=1)
LISTED = {"versions": {"$slice": -1}, "outbox": False}
"""What is read of a node, without its older versions."""


class NodeStore:
    """The ports `Nodes`, but for what is booked (see `MeteredNodes`), and `Changes`; a write bears its time."""

    def __init__(self, nodes: Collection, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._nodes = nodes
        self._now = now

    async def path(self, node_id: str) -> tuple[Node, ...]:
        """One look-up a level. What does not lead to a top folder is nowhere: half a path would hide a denial."""
        upwards = list[Node]()
        while node_id:
            document = await self._nodes.get(node_id)
            if document is None or document["shelf"] in {ARRIVING, PURGED} or len(upwards) == HOPS:
                return ()
            upwards.append(node_of(document))
            node_id = upwards[-1].parent_id
        return tuple(reversed(upwards))

    async def named(self, parent_id: str, folded: str) -> Node | None:
        document = await self._nodes.find_one({"shelf": parent_id, "key": folded}, projection=LISTED)
        return node_of(document) if document else None

    async def children(self, parent_id: str, after: Position | None, limit: int) -> NodePage:
        page = await self._nodes.page({"shelf": parent_id}, "key", after, limit, projection=LISTED)
        return NodePage([node_of(document) for document in page.documents], page.after)

    async def trash(self, space_id: str, after: Position | None, limit: int) -> NodePage:
        page = await self._nodes.page({"shelf": trash_of(space_id)}, "key", after, limit, projection=LISTED)
        return NodePage([node_of(document) for document in page.documents], page.after)

    async def height(self, node_id: str) -> int:
        """One look-up a level, of the ids of its folders; their files are not looked at."""
        levels, ids = 0, [node_id]
        while levels <= HOPS:
            query = {"folder_in": {"$in": ids}, "swept": {"$ne": True}}
            below = self._nodes.find(query, projection={"_id": True})
            ids = [document["_id"] async for document in below]
            if not ids:
                break
            levels += 1
        return levels

    async def purged(self, act_id: str, node_id: str) -> bool:
        document = await self._nodes.get(node_id, projection={"shelf": True, "receipts": True})
        return document is not None and document["shelf"] == PURGED and act_id in document["receipts"]

    async def discarded(self, purged: datetime, begun: datetime, limit: int) -> Sequence[Node]:
        found = list[Node]()
        for shelf, before in ((PURGED, purged), (ARRIVING, begun)):
            query = {"shelf": shelf, "key": {"$lt": SWEPT}, "updated_at": {"$lt": before}}
            found += [node_of(each) async for each in self._nodes.find(query, limit=limit, projection=LISTED)]
        return found

    async def swept(self, before: datetime, limit: int) -> Sequence[Node]:
        query = {"shelf": PURGED, "key": {"$gte": SWEPT, "$lt": swept_by(before)}}
        return [node_of(each) async for each in self._nodes.find(query, limit=limit, projection=LISTED)]

    async def inside(self, folder: Node, but: Sequence[str], limit: int) -> Sequence[Node]:
        found = list[Node]()
        for shelf in (folder.node_id, trash_of(folder.space_id)):
            query = {"shelf": shelf, "parent_id": folder.node_id, "_id": {"$nin": list(but)}}
            found += [node_of(each) async for each in self._nodes.find(query, limit=limit, projection=LISTED)]
        return found

    async def whole(self, node_id: str) -> Node | None:
        document = await self._nodes.get(node_id)
        return node_of(document) if document else None

    async def remove(self, node: Node) -> bool:
        if await self._nodes.delete(node.node_id, where={"outbox.0": {"$exists": False}}):
            return True
        return await self._nodes.get(node.node_id, projection={"_id": True}) is None

    async def granted(self, grantees: Sequence[Grantee], after: Position | None, limit: int) -> NodePage:
        query = {"grants.to": {"$in": [str(grantee) for grantee in grantees]}}
        page = await self._nodes.page(query, "space_id", after, limit, projection=LISTED)
        return NodePage([node_of(document) for document in page.documents], page.after)

    async def referenced(self, blobs: Sequence[str]) -> set[str]:
        found = self._nodes.find({"versions.blob": {"$in": list(blobs)}}, projection={"versions.blob": True})
        return {version["blob"] async for node in found for version in node["versions"]}.intersection(blobs)

    async def changed(self, space_id: str, since: datetime, after: Stamped | None, limit: int) -> ChangedPage:
        position = after or (since - TICK, "")
        page = await self._nodes.page({"space_id": space_id}, "changed_at", position, limit, projection=LISTED)
        changed = [(document["changed_at"], node_of(document)) for document in page.documents]
        return ChangedPage(changed, page.after)

    async def add(self, node: Node, deed: Deed) -> None:
        await self._nodes.insert(self._stamped(node), wire.facts(node, deed))

    async def add_all(self, nodes: Sequence[Node], deed: Deed | None) -> Sequence[Node]:
        inserts = [Insert(self._stamped(node), wire.facts(node, deed) if deed else ()) for node in nodes]
        refused = set((await self._nodes.bulk(inserts)).refused)
        return [node for index, node in enumerate(nodes) if index not in refused]

    async def change(self, before: Node, after: Node, deed: Deed | None) -> None:
        facts = wire.facts(after, deed) if deed else ()
        update = _difference(before, after)
        if update:
            update = {**update, "$set": {**update["$set"], "changed_at": self._now()}}
        await self._nodes.update(after.node_id, update, version=before.revision, facts=facts)

    def _stamped(self, node: Node) -> Document:
        return {"_id": node.node_id, "changed_at": self._now(), **_document(node)}


def _difference(before: Node, after: Node) -> Mapping[str, Mapping[str, Any]]:
    """The change as MongoDB update operators; to the versions, of which there may be many, it mostly adds."""
    old, new = _document(before), _document(after)
    changed = {field: value for field, value in new.items() if value != old[field]}
    kept, added = new["versions"][: len(old["versions"])], new["versions"][len(old["versions"]) :]
    if added and kept == old["versions"]:
        del changed["versions"]
        return {"$set": changed, "$push": {"versions": {"$each": added}}}
    return {"$set": changed} if changed else {}


def _document(node: Node) -> Document:
    shelf, key = node.place
    return {
        "shelf": shelf,
        "key": key,
        "space_id": node.space_id,
        "parent_id": node.parent_id,
        "entity_id": node.entity_id,
        "kind": node.kind.value,
        "name": node.name,
        "owner_person_id": node.owner_person_id,
        "created_at": node.created_at,
        "updated_at": node.updated_at,
        "trashed_at": node.trashed_at,
        "arriving": node.arriving,
        "purged": node.purged,
        "swept": node.swept,
        "left": list(node.left),
        "grants": [
            {
                "id": grant.grant_id,
                "to": str(grant.grantee),
                "role": grant.role.value,
                "by": grant.granted_by,
                "at": grant.granted_at,
                "deny": grant.deny,
            }
            for grant in node.grants
        ],
        "label": node.label.value,
        "lock": {"owner": str(node.lock.owner), "until": node.lock.until} if node.lock else None,
        "versions": [
            {
                "number": version.number,
                "size": version.size,
                "sha256": version.sha256,
                "media_type": version.media_type,
                "author_id": version.author_id,
                "created_at": version.created_at,
                "blob": version.blob,
                "frozen": version.frozen,
            }
            for version in node.versions
        ],
        "receipts": list(node.receipts),
        "charge": node.charge,
        **({"folder_in": node.parent_id} if node.kind is Kind.FOLDER else {}),
    }


def node_of(document: Document) -> Node:
    return Node(
        node_id=document["_id"],
        space_id=document["space_id"],
        parent_id=document["parent_id"],
        entity_id=document["entity_id"],
        kind=Kind(document["kind"]),
        name=document["name"],
        created_at=document["created_at"],
        updated_at=document["updated_at"],
        owner_person_id=document["owner_person_id"],
        trashed_at=document["trashed_at"],
        arriving=document.get("arriving", False),
        purged=document.get("purged", False),
        swept=document.get("swept", False),
        left=tuple(document.get("left", ())),
        grants=tuple(
            Grant(
                grant["id"],
                _grantee(grant["to"]),
                Role(grant["role"]),
                grant["by"],
                grant["at"],
                grant.get("deny", False),
            )
            for grant in document["grants"]
        ),
        label=Label(document.get("label", Label.NONE)),
        lock=_lock(document.get("lock")),
        versions=tuple(known(Version, version) for version in document["versions"]),
        receipts=tuple(document["receipts"]),
        charge=document.get("charge", ""),
        revision=document["version"],
    )


def _lock(document: Document | None) -> Lock | None:
    return Lock(_grantee(document["owner"]), document["until"]) if document else None


def _grantee(text: str) -> Grantee:
    kind, _, grantee_id = text.partition(":")
    return Grantee(GranteeKind(kind), grantee_id)
