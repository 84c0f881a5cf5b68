"""ListGrants: who has a role on a node, by grants on it and above it."""

from collections.abc import Sequence

from document.application.access import open_node
from document.application.ports import Nodes
from document.domain.permissions import Grant, Role, Subject, decide


async def list_grants(
    nodes: Nodes, subject: Subject, node_id: str, after: str, limit: int
) -> tuple[Sequence[tuple[str, Grant]], str]:
    """At most `limit` grants with the ids of their nodes, by grant id behind `after`; and the id to go on from, or "".

    Grants above are shown as far up as the caller manages the folders.
    """
    path = (await open_node(nodes, subject, node_id, Role.MANAGER)).path
    grants = sorted(
        (grant.grant_id, node.node_id, grant)
        for depth, node in enumerate(path, start=1)
        if decide(subject, path[:depth]).role is Role.MANAGER
        for grant in node.grants
        if grant.grant_id > after
    )
    return [(node, grant) for _, node, grant in grants[:limit]], grants[limit - 1][0] if len(grants) > limit else ""
