"""CreateSpace: a new tree, of the caller's entity or of their own."""

from document.application import effects
from document.application.ports import Nodes
from document.domain.deeds import Deed, Verb
from document.domain.node import Act, Node, new_space


async def create_space(nodes: Nodes, act: Act, name: str, *, personal: bool) -> Node:
    """The top folder of the new space."""
    return await effects.add(nodes, new_space(act, name, personal=personal), Deed(Verb.CREATE_SPACE, act))
