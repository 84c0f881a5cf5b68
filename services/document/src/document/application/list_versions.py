"""ListVersions: the versions of a file, newest first."""

from collections.abc import Sequence

from document.application.access import open_node
from document.application.ports import Nodes
from document.domain.node import Version, version_of
from document.domain.permissions import Subject


async def list_versions(
    nodes: Nodes, subject: Subject, node_id: str, before: int | None, limit: int
) -> tuple[Sequence[Version], int | None]:
    """At most `limit` versions older than number `before`, and the number to go on before, None at the end."""
    node = (await open_node(nodes, subject, node_id)).node
    newest = version_of(node, 0).number
    older = [v for v in reversed(node.versions) if v.number < (newest + 1 if before is None else before)]
    return older[:limit], older[limit - 1].number if len(older) > limit else None
