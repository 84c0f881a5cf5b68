"""Move: a node, and with it all below, into another folder by one write of the node.

Two folders that move into each other at the same time would both be lost to the tree, and no single
write can see both. So a folder's move is written down first, one at a time in a space; whoever finds
one that is not done finishes it. A file holds nothing, and goes at once.
"""

from dataclasses import dataclass, replace

from errors import Conflict, Invalid, NotAllowed
from telemetry import points

from document.application import effects
from document.application.access import Opened, open_node
from document.application.ports import Moves, Nodes
from document.domain.deeds import Deed, Move, Verb
from document.domain.node import MAX_DEPTH, Act, Kind, Node, check_etag
from document.domain.permissions import Role, decide
from document.domain.tree import moved

_ATTEMPTS = 64
"""Each one ends a move, of the caller or of somebody else."""


@dataclass(frozen=True, slots=True)
class MoveNode:
    """The use case."""

    nodes: Nodes
    moves: Moves

    async def __call__(self, act: Act, node_id: str, parent_id: str, name: str) -> Node:
        """The node in its new place; an empty name keeps the one it has.

        Raises:
            NotFound, NotAllowed: the node, its folder or the new folder are not the caller's to edit.
            Invalid: it cannot lie there.
            Conflict: its name is taken there, somebody else has locked it, STALE_ETAG, BUSY.
        """
        for _ in range(_ATTEMPTS):
            if done := await effects.done_before(self.nodes, act, node_id):
                return done
            opened = await self._leaving(act, node_id)
            to = await open_node(self.nodes, act.subject, parent_id, Role.EDITOR)
            check_etag(opened.node, act.etag)
            after = moved(opened.path, act, to.path, name)
            if opened.node.kind is Kind.FILE or opened.node.parent_id == parent_id:
                await self._write(opened.node, after, act)
            else:
                await self._check_depth(opened, to)
                wanted = Move(act, node_id, opened.node.revision, parent_id, name)
                standing = await self.moves.begin(opened.node.space_id, wanted)
                points.reached("document.move.begun")
                refusal = await self._finish(opened.node.space_id, standing)
                if refusal and standing.act.act_id == act.act_id:
                    raise refusal
        raise effects.busy()

    async def _leaving(self, act: Act, node_id: str) -> Opened:
        """The node; who takes it out of its folder edits the folder, too."""
        opened = await open_node(self.nodes, act.subject, node_id, Role.EDITOR)
        if not opened.node.is_top and decide(act.subject, opened.path[:-1]).role < Role.EDITOR:
            raise NotAllowed("this needs the role EDITOR of the folder that it leaves", reason="ROLE")
        return opened

    async def _check_depth(self, opened: Opened, to: Opened) -> None:
        if len(to.path) + await self.nodes.height(opened.node.node_id) >= MAX_DEPTH:
            raise Invalid(f"folders go {MAX_DEPTH} levels deep", reason="TOO_DEEP")

    async def _finish(self, space_id: str, move: Move) -> Invalid | Conflict | None:
        """Does the move that is written down, unless it is done, or cannot be: then why not.

        While it stands no other folder of the space moves, so what is read here of the tree holds.
        Refused or done, the node gets another revision before the next one may begin: so nobody who
        was on the way here can still do it.
        """
        refusal: Invalid | Conflict | None = None
        path = await self.nodes.path(move.node_id)
        if path and path[-1].revision == move.revision:
            try:
                to = await self.nodes.path(move.parent_id)
                await self._write(path[-1], moved(path, move.act, to, move.name), move.act)
            except (Invalid, Conflict) as error:
                refusal = error
                await self._pass_over(path[-1])
        points.reached("document.move.written")
        await self.moves.end(space_id, move)
        return refusal

    async def _write(self, before: Node, after: Node, act: Act) -> None:
        """Writes the node, if it is still as it was."""
        try:
            await self.nodes.change(before, after, Deed(Verb.MOVE, act))
        except Conflict as conflict:
            if conflict.reason != "STALE":
                raise effects.name_taken() from conflict

    async def _pass_over(self, node: Node) -> None:
        try:
            await self.nodes.change(node, replace(node, revision=node.revision + 1), None)
        except Conflict as conflict:
            if conflict.reason != "STALE":
                raise
