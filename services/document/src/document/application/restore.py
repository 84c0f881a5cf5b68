"""Restore: takes a node out of the trash, back into its folder."""

from dataclasses import replace

from errors import Conflict

from document.application import effects
from document.application.access import Opened, permit
from document.application.ports import Nodes
from document.domain.deeds import Deed, Verb
from document.domain.node import Act, Node
from document.domain.permissions import Role
from document.domain.tree import restored


async def restore(nodes: Nodes, act: Act, node_id: str, name: str) -> Node:
    """The node in its folder, under another name if one is said: for whoever may have put it into the trash.

    Raises:
        Conflict: NOT_TRASHED; PARENT_TRASHED, the folder lies in the trash itself; ALREADY_EXISTS.
    """

    def restoring(opened: Opened) -> tuple[Node, Deed]:
        if any(above.trashed for above in opened.path[:-1]):
            raise Conflict("its folder lies in the trash: restore that first", reason="PARENT_TRASHED")
        after = restored(opened.node, act, name)
        out_of_it = (*opened.path[:-1], replace(opened.node, trashed_at=None))
        permit(act.subject, out_of_it, Role.MANAGER if after.is_top else Role.EDITOR)
        return after, Deed(Verb.RESTORE, act)

    return await effects.change(nodes, act, node_id, Role.READER, restoring)
