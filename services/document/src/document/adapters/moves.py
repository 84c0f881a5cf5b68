"""Moves under way in MongoDB: one document a space, while a folder of it moves."""

from errors import Conflict
from store import Collection, Document

from document.application.ports import Moves
from document.domain.deeds import Move
from document.domain.node import Act
from document.domain.permissions import GranteeKind, Subject


class MoveStore(Moves):
    """The port `Moves`."""

    def __init__(self, moves: Collection) -> None:
        self._moves = moves

    async def begin(self, space_id: str, move: Move) -> Move:
        while True:
            try:
                await self._moves.insert({"_id": space_id, **_document(move)})
            except Conflict:
                standing = await self._moves.get(space_id)
                if standing is not None:
                    return _move(standing)
            else:
                return move

    async def end(self, space_id: str, move: Move) -> None:
        await self._moves.delete(space_id, where={"act_id": move.act.act_id, "revision": move.revision})


def _document(move: Move) -> Document:
    who = move.act.subject
    return {
        "act_id": move.act.act_id,
        "kind": who.kind.value,
        "subject": who.id,
        "entity_id": who.entity_id,
        "at": move.act.at,
        "node_id": move.node_id,
        "revision": move.revision,
        "parent_id": move.parent_id,
        "name": move.name,
    }


def _move(document: Document) -> Move:
    who = Subject(GranteeKind(document["kind"]), document["subject"], document["entity_id"])
    return Move(
        act=Act(document["act_id"], who, document["at"]),
        node_id=document["node_id"],
        revision=document["revision"],
        parent_id=document["parent_id"],
        name=document["name"],
    )
