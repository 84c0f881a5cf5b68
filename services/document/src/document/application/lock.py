"""Lock and Unlock: the right to write a file alone, for a while."""

from datetime import timedelta

from document.application import effects
from document.application.access import Opened
from document.application.ports import Nodes
from document.domain.deeds import Deed, Verb
from document.domain.node import Act, Node
from document.domain.permissions import Role
from document.domain.versions import locked, unlocked


async def lock(nodes: Nodes, act: Act, node_id: str, lease: timedelta) -> Node:
    """The file under the caller's lock; their next one prolongs it."""

    def locking(opened: Opened) -> tuple[Node, Deed]:
        return locked(opened.node, act, lease), Deed(Verb.LOCK, act)

    return await effects.change(nodes, act, node_id, Role.EDITOR, locking)


async def unlock(nodes: Nodes, act: Act, node_id: str) -> Node:
    """The file without its lock, which its owner takes away, or a manager."""

    def unlocking(opened: Opened) -> tuple[Node, Deed]:
        return unlocked(opened.node, act, anybodys=opened.role is Role.MANAGER), Deed(Verb.UNLOCK, act)

    return await effects.change(nodes, act, node_id, Role.EDITOR, unlocking)
