"""Nodes in MongoDB: one document a node, with its grants, its versions and the facts not yet published.

A folder's name index is (shelf, key), see `Node.place`. `versions.blob` is indexed, so that it can
be asked which content is referred to.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from store import Collection, Document, Index

from document.adapters import wire
from document.application.ports import NodePage, Position
from document.domain.deeds import Deed
from document.domain.node import MAX_DEPTH, Kind, Node, Version
from document.domain.permissions import Grant, Grantee, GranteeKind, Role

INDEXES = (
    Index(["shelf", "key"], unique=True),
    Index(["grants.to", "space_id"]),
    Index(["versions.blob"], sparse=True),
)
_LISTED = {"versions": {"$slice": -1}, "outbox": False}


class NodeStore:
    """The port `Nodes`."""

    def __init__(self, nodes: Collection) -> None:
        self._nodes = nodes

    async def path(self, node_id: str) -> tuple[Node, ...]:
        """One look-up a level; `MAX_DEPTH` bounds them whatever the parents say."""
        upwards = list[Node]()
        while node_id and len(upwards) <= MAX_DEPTH:
            document = await self._nodes.get(node_id)
            if document is None:
                return ()
            upwards.append(_node(document))
            node_id = upwards[-1].parent_id
        return tuple(reversed(upwards))

    async def named(self, parent_id: str, folded: str) -> Node | None:
        document = await self._nodes.find_one({"shelf": parent_id, "key": folded}, projection=_LISTED)
        return _node(document) if document else None

    async def children(self, parent_id: str, after: Position | None, limit: int) -> NodePage:
        page = await self._nodes.page({"shelf": parent_id}, "key", after, limit, projection=_LISTED)
        return NodePage([_node(document) for document in page.documents], page.after)

    async def granted(self, grantees: Sequence[Grantee], after: Position | None, limit: int) -> NodePage:
        query = {"grants.to": {"$in": [str(grantee) for grantee in grantees]}}
        page = await self._nodes.page(query, "space_id", after, limit, projection=_LISTED)
        return NodePage([_node(document) for document in page.documents], page.after)

    async def add(self, node: Node, deed: Deed) -> None:
        await self._nodes.insert({"_id": node.node_id, **_document(node)}, wire.facts(node, deed))

    async def change(self, before: Node, after: Node, deed: Deed) -> None:
        facts = wire.facts(after, deed)
        await self._nodes.update(after.node_id, _difference(before, after), version=before.revision, facts=facts)


def _difference(before: Node, after: Node) -> Mapping[str, Mapping[str, Any]]:
    """The change as MongoDB update operators; the versions, of which there may be many, are only added to."""
    old, new = _document(before), _document(after)
    added = new["versions"][len(old["versions"]) :]
    changed = {field: value for field, value in new.items() if field != "versions" and value != old[field]}
    return {"$set": changed, **({"$push": {"versions": {"$each": added}}} if added else {})}


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
        "grants": [
            {
                "id": grant.grant_id,
                "to": str(grant.grantee),
                "role": grant.role.value,
                "by": grant.granted_by,
                "at": grant.granted_at,
            }
            for grant in node.grants
        ],
        "versions": [
            {
                "number": version.number,
                "size": version.size,
                "sha256": version.sha256,
                "media_type": version.media_type,
                "author_id": version.author_id,
                "created_at": version.created_at,
                "blob": version.blob,
            }
            for version in node.versions
        ],
        "receipts": list(node.receipts),
    }


def _node(document: Document) -> Node:
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
        grants=tuple(
            Grant(grant["id"], _grantee(grant["to"]), Role(grant["role"]), grant["by"], grant["at"])
            for grant in document["grants"]
        ),
        versions=tuple(Version(**version) for version in document["versions"]),
        receipts=tuple(document["receipts"]),
        revision=document["version"],
    )


def _grantee(text: str) -> Grantee:
    kind, _, grantee_id = text.partition(":")
    return Grantee(GranteeKind(kind), grantee_id)
