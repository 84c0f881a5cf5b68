"""Writes that have one effect, however often the request comes and whoever writes beside it."""

from collections.abc import Callable

from errors import Conflict

from document.application.access import Opened, permit
from document.application.ports import Nodes
from document.domain.deeds import Deed
from document.domain.node import Act, Node, check_etag
from document.domain.permissions import Role

_ATTEMPTS = 8


async def done_before(nodes: Nodes, act: Act, node_id: str) -> Node | None:
    """The node, when this very act changed or made it already."""
    path = await nodes.path(node_id)
    return path[-1] if path and act.act_id in path[-1].receipts else None


async def add(nodes: Nodes, node: Node, deed: Deed) -> Node:
    """Adds a node that bears the id of its act.

    Raises:
        Conflict: ALREADY_EXISTS, something else in the folder has the name.
    """
    try:
        await nodes.add(node, deed)
    except Conflict as conflict:
        if path := await nodes.path(node.node_id):
            return path[-1]
        raise name_taken() from conflict
    return node


def name_taken() -> Conflict:
    return Conflict("the folder has something of this name already", reason="ALREADY_EXISTS")


async def change(
    nodes: Nodes, act: Act, node_id: str, needed: Role, apply: Callable[[Opened], tuple[Node, Deed]]
) -> Node:
    """Changes a node as it is now, again from the start when somebody else was faster.

    Raises:
        NotFound, NotAllowed: by `permit`.
        Conflict: STALE_ETAG, the act means another state; ALREADY_EXISTS, the folder has the name;
            BUSY, others were faster every time; and whatever `apply` raises.
    """
    for _ in range(_ATTEMPTS):
        path = await nodes.path(node_id)
        if path and act.act_id in path[-1].receipts:
            return path[-1]
        opened = permit(act.subject, path, needed)
        check_etag(opened.node, act.etag)
        after, deed = apply(opened)
        try:
            await nodes.change(opened.node, after, deed)
        except Conflict as conflict:
            if conflict.reason != "STALE":
                raise name_taken() from conflict
        else:
            return after
    raise busy()


def busy() -> Conflict:
    return Conflict("others change it all the time; try again", reason="BUSY")
