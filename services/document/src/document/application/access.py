"""The door of every use case: a node is opened for somebody, or is not there for them."""

from collections.abc import Sequence
from dataclasses import dataclass

from errors import NotAllowed, NotFound

from document.application.ports import Nodes
from document.domain.node import Node
from document.domain.permissions import Role, Subject, decide


@dataclass(frozen=True, slots=True)
class Opened:
    """A node, those above it (the top folder of its space first, itself last) and what the caller may do with it."""

    path: Sequence[Node]
    role: Role

    @property
    def node(self) -> Node:
        return self.path[-1]


def permit(subject: Subject, path: Sequence[Node], needed: Role = Role.READER) -> Opened:
    """Opens the last node of the path.

    Raises:
        NotFound: there is none, or not for them.
        NotAllowed: they may see it, and not do this.
    """
    role = decide(subject, path).role
    if not path or role is Role.NONE:
        raise NotFound("there is no such file or folder")
    if role < needed:
        raise NotAllowed(f"this needs the role {needed.name} here", reason="ROLE", role=role.name, needed=needed.name)
    return Opened(path, role)


def in_sight(subject: Subject, path: Sequence[Node]) -> bool:
    """Whether somebody comes upon the last node of the path: it is there, for them, and not in the trash."""
    return decide(subject, path).role is not Role.NONE and not any(above.trashed for above in path)


async def open_node(nodes: Nodes, subject: Subject, node_id: str, needed: Role = Role.READER) -> Opened:
    """`permit`, with the path read from the store."""
    return permit(subject, await nodes.path(node_id), needed)
