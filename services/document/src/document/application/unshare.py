"""Unshare: takes a grant back."""

from document.application import effects
from document.application.access import Opened
from document.application.ports import Nodes
from document.domain.deeds import Deed, Verb
from document.domain.node import Act, Node, grant_of, unshared
from document.domain.permissions import Role


async def unshare(nodes: Nodes, act: Act, node_id: str, grant_id: str) -> None:
    def taking_back(opened: Opened) -> tuple[Node, Deed]:
        return unshared(opened.node, act, grant_id), Deed(Verb.UNSHARE, act, grant_of(opened.node, grant_id))

    await effects.change(nodes, act, node_id, Role.MANAGER, taking_back)
