"""ListTrash: what of a space lies in the trash."""

from document.application.access import open_node
from document.application.ports import NodePage, Nodes, Position
from document.domain.permissions import Role, Subject, decide


async def list_trash(nodes: Nodes, subject: Subject, space_id: str, after: Position | None, limit: int) -> NodePage:
    """Those that the caller may restore; a page may hold fewer than `limit` and not be the last."""
    await open_node(nodes, subject, space_id)
    page = await nodes.trash(space_id, after, limit)
    seen = [node for node in page.nodes if decide(subject, await nodes.path(node.node_id)).role is not Role.NONE]
    return NodePage(seen, page.after)
