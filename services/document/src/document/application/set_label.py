"""SetLabel: how far a node, and all below it, may go."""

from document.application import effects
from document.application.access import Opened
from document.application.ports import Nodes
from document.domain.deeds import Deed, Verb
from document.domain.node import Act, Node, labelled
from document.domain.permissions import Label, Role


async def set_label(nodes: Nodes, act: Act, node_id: str, label: Label) -> Node:
    """Grants that the label does not let through stay, and hold again under a weaker one."""

    def labelling(opened: Opened) -> tuple[Node, Deed]:
        return labelled(opened.node, act, label), Deed(Verb.LABEL, act)

    return await effects.change(nodes, act, node_id, Role.MANAGER, labelling)
