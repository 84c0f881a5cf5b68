"""ListFolder: what lies in a folder, by name."""

from errors import Invalid

from document.application.access import open_node
from document.application.ports import NodePage, Nodes, Position
from document.domain.node import Kind
from document.domain.permissions import Role, Subject, decide


async def list_folder(nodes: Nodes, subject: Subject, node_id: str, after: Position | None, limit: int) -> NodePage:
    """The children that the caller may see; a page may hold fewer than `limit` and not be the last."""
    folder = await open_node(nodes, subject, node_id)
    if folder.node.kind is not Kind.FOLDER:
        raise Invalid("a file holds no others", reason="NOT_A_FOLDER")
    page = await nodes.children(node_id, after, limit)
    seen = [node for node in page.nodes if decide(subject, (*folder.path, node)).role is not Role.NONE]
    return NodePage(seen, page.after)
