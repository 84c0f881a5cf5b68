"""ListSpaces: the spaces in which the caller may read something."""

from document.application.ports import Directory, NodePage, Nodes
from document.domain.node import Node
from document.domain.permissions import Grantee, GranteeKind, Role, Subject, decide

_BATCH = 200
_BEHIND_ALL = "\U0010ffff"
"""Sorts after every id, so that a list goes on behind a whole space."""


async def list_spaces(nodes: Nodes, directory: Directory, subject: Subject, after: str, limit: int) -> NodePage:
    """The top folders of at most `limit` spaces whose ids follow `after`, by id.

    Looks at the nodes that were granted to the caller, to their entity or to a group of theirs, and
    takes the space of the first one in it that they can in fact read.
    """
    grantees = granted_as(directory, subject)
    tops = list[Node]()
    position = (after, _BEHIND_ALL) if after else None
    while True:
        page = await nodes.granted(grantees, position, _BATCH)
        for node in page.nodes:
            if tops and node.space_id == tops[-1].space_id:
                continue
            path = await nodes.path(node.node_id)
            if decide(subject, path).role is not Role.NONE:
                tops.append(path[0])
            if len(tops) == limit:
                return NodePage(tops, (node.space_id, _BEHIND_ALL))
        if page.after is None:
            return NodePage(tops, None)
        position = page.after


def granted_as(directory: Directory, subject: Subject) -> list[Grantee]:
    """As whom something may be granted to somebody."""
    if subject.kind is not GranteeKind.PERSON:
        return [subject.grantee]
    groups = (Grantee(GranteeKind.GROUP, group_id) for group_id in directory.groups_of(subject.id))
    return [subject.grantee, Grantee(GranteeKind.ENTITY, subject.entity_id), *groups]
