"""ListShared: what was granted to somebody where they cannot come upon it by themselves."""

from document.application.access import in_sight
from document.application.list_spaces import granted_as
from document.application.ports import Directory, NodePage, Nodes, Position
from document.domain.permissions import Role, Subject, decide


async def list_shared(
    nodes: Nodes, directory: Directory, subject: Subject, after: Position | None, limit: int
) -> NodePage:
    """What they may read and whose folder they do not see; a page may hold fewer than `limit` and not be the last."""
    page = await nodes.granted(granted_as(directory, subject), after, limit)
    seen = []
    for node in page.nodes:
        path = await nodes.path(node.node_id)
        if in_sight(subject, path) and not node.is_top and decide(subject, path[:-1]).role is Role.NONE:
            seen.append(node)
    return NodePage(seen, page.after)
