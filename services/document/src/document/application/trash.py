"""Trash: takes a node and all below it out of sight, by one write on the node."""

from document.application import effects
from document.application.access import Opened, permit
from document.application.ports import Nodes
from document.domain.deeds import Deed, Verb
from document.domain.node import Act, Node
from document.domain.permissions import Role
from document.domain.tree import trashed


async def trash(nodes: Nodes, act: Act, node_id: str) -> None:
    """A whole space is for its managers to trash, anything else for editors."""

    def discarding(opened: Opened) -> tuple[Node, Deed]:
        if opened.node.is_top:
            permit(act.subject, opened.path, Role.MANAGER)
        return trashed(opened.node, act), Deed(Verb.TRASH, act)

    await effects.change(nodes, act, node_id, Role.EDITOR, discarding)
