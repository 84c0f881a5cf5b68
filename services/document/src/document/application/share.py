"""Share: a grant on a node, one single write however much lies below."""

from errors import Invalid
from telemetry import points

from document.application import effects
from document.application.access import Opened
from document.application.ports import Directory, Nodes
from document.domain.deeds import Deed, Verb
from document.domain.node import Act, Node, grant_of, shared
from document.domain.permissions import Grant, Grantee, Role


async def share(nodes: Nodes, directory: Directory, act: Act, node_id: str, grantee: Grantee, role: Role) -> Grant:
    """The grant on the node.

    Raises:
        Invalid: the grantee is unknown.
    """

    def granting(opened: Opened) -> tuple[Node, Deed]:
        if not directory.knows(grantee):
            raise Invalid("there is no such person, group or entity", reason="GRANTEE")
        after = shared(opened.node, act, grantee, role)
        return after, Deed(Verb.SHARE, act, grant_of(after, act.act_id))

    node = await effects.change(nodes, act, node_id, Role.MANAGER, granting)
    points.reached("document.share.recorded")
    return grant_of(node, act.act_id)
