"""Rename: another name for a file, a folder or a space."""

from document.application import effects
from document.application.access import Opened, permit
from document.application.ports import Nodes
from document.domain.deeds import Deed, Verb
from document.domain.node import Act, Node
from document.domain.permissions import Role
from document.domain.tree import renamed


async def rename(nodes: Nodes, act: Act, node_id: str, name: str) -> Node:
    """A space is for its managers to rename, anything else for editors."""

    def renaming(opened: Opened) -> tuple[Node, Deed]:
        if opened.node.is_top:
            permit(act.subject, opened.path, Role.MANAGER)
        return renamed(opened.node, act, name), Deed(Verb.RENAME, act)

    return await effects.change(nodes, act, node_id, Role.EDITOR, renaming)
