"""Why: what somebody may do with a node, and each reason for it."""

from document.application.access import open_node
from document.application.ports import Nodes
from document.domain.permissions import Decision, Role, Subject, decide


async def why(nodes: Nodes, caller: Subject, node_id: str, about: Subject) -> Decision:
    """The decision about somebody: of themselves whoever may see the node may ask, of others its managers."""
    needed = Role.READER if about.grantee == caller.grantee else Role.MANAGER
    opened = await open_node(nodes, caller, node_id, needed)
    return decide(about, opened.path)
