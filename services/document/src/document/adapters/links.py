"""Links in MongoDB: one document a link, with the facts not yet published."""

from collections.abc import Sequence
from datetime import datetime

from errors import Conflict
from store import Collection, Document, Index

from document.adapters import wire
from document.application.ports import Position
from document.domain.deeds import Deed
from document.domain.links import Link, Use
from document.domain.node import Node
from document.domain.permissions import GranteeKind, Subject

LINK_INDEXES = (Index(["node_id"]), Index(["tell_at"], sparse=True))


class LinkStore:
    """The port `Links`. `tell_at` is there until the maker was told."""

    def __init__(self, links: Collection) -> None:
        self._links = links

    async def find(self, link_id: str) -> Link | None:
        document = await self._links.get(link_id)
        return _link(document) if document else None

    async def of_node(self, node_id: str, after: Position | None, limit: int) -> tuple[Sequence[Link], Position | None]:
        page = await self._links.page({"node_id": node_id}, "_id", after, limit)
        return [_link(document) for document in page.documents], page.after

    async def add(self, link: Link, node: Node, deed: Deed) -> None:
        await self._links.insert(_document(link), wire.facts(node, deed))

    async def revoke(self, link: Link, node: Node, deed: Deed) -> None:
        change: dict[str, Document] = {"$set": {"revoked": True}, "$unset": {"tell_at": ""}}
        await self._links.update(link.link_id, change, version=link.revision, facts=wire.facts(node, deed))

    async def use(self, link: Link, node: Node, deed: Deed) -> None:
        """One conditional write, so that of any number at once as many are counted as the link gives."""
        change: Document = {"$inc": {"used": 1}}
        where: Document = {"revoked": False}
        if link.max_uses:
            change["$push"] = {"uses": {"id": deed.act.act_id, "at": deed.act.at}}
            where |= {"used": {"$lt": link.max_uses}, "uses.id": {"$ne": deed.act.act_id}}
        await self._links.update(link.link_id, change, where=where, facts=wire.facts(node, deed))

    async def guess(self, link_id: str, limit: int) -> bool:
        try:
            await self._links.update(link_id, {"$inc": {"guesses": 1}}, where={"guesses": {"$lt": limit}})
        except Conflict:
            return False
        return True

    async def guessed(self, link_id: str) -> None:
        await self._links.update(link_id, {"$set": {"guesses": 0}})

    async def ending(self, now: datetime, limit: int) -> Sequence[Link]:
        found = self._links.find({"tell_at": {"$lte": now}}, limit=limit)
        return [_link(document) async for document in found]

    async def told(self, link: Link, node: Node | None) -> None:
        facts = [wire.link_ending(link, node)] if node else []
        await self._links.update(link.link_id, {"$unset": {"tell_at": ""}}, version=link.revision, facts=facts)


def _document(link: Link) -> Document:
    return {
        "_id": link.link_id,
        "node_id": link.node_id,
        "maker": {"kind": link.maker.kind.value, "id": link.maker.id, "entity_id": link.maker.entity_id},
        "created_at": link.created_at,
        "expires_at": link.expires_at,
        "tell_at": link.tell_at,
        "salt": link.salt,
        "token_hash": link.token_hash,
        "max_uses": link.max_uses,
        "password_hash": link.password_hash,
        "used": link.used,
        "uses": [],
        "guesses": link.guesses,
        "revoked": link.revoked,
    }


def _link(document: Document) -> Link:
    maker = document["maker"]
    return Link(
        link_id=document["_id"],
        node_id=document["node_id"],
        maker=Subject(GranteeKind(maker["kind"]), maker["id"], maker["entity_id"]),
        created_at=document["created_at"],
        expires_at=document["expires_at"],
        salt=document["salt"],
        token_hash=document["token_hash"],
        max_uses=document["max_uses"],
        password_hash=document["password_hash"],
        used=document["used"],
        uses=tuple(Use(use["id"], use["at"]) for use in document["uses"]),
        guesses=document["guesses"],
        revoked=document["revoked"],
        revision=document["version"],
    )
