"""Share: a grant or a denial on a node, one single write however much lies below."""

from errors import Invalid
from telemetry import points

from document.application import effects
from document.application.access import Opened
from document.application.ports import Directory, Nodes
from document.domain.deeds import Deed, Verb
from document.domain.node import Act, Node, grant_of, shared
from document.domain.permissions import Grant, Grantee, GranteeKind, Label, Role, label_of, may_reach


async def share(
    nodes: Nodes, directory: Directory, act: Act, node_id: str, grantee: Grantee, role: Role, *, deny: bool = False
) -> Grant:
    """The grant on the node.

    Raises:
        Invalid: the grantee is unknown, or the label in force keeps the node from them.
    """

    def granting(opened: Opened) -> tuple[Node, Deed]:
        if not directory.knows(grantee):
            raise Invalid("there is no such person, group or entity", reason="GRANTEE")
        if not deny:
            _check_label(directory, opened, grantee)
        after = shared(opened.node, act, grantee, role, deny=deny)
        return after, Deed(Verb.SHARE, act, grant_of(after, act.act_id))

    node = await effects.change(nodes, act, node_id, Role.MANAGER, granting)
    points.reached("document.share.recorded")
    return grant_of(node, act.act_id)


def _check_label(directory: Directory, opened: Opened, grantee: Grantee) -> None:
    """Refuses a grant that could give nothing; of a group or a service only each request tells."""
    label, entity_id = label_of(opened.path), opened.node.entity_id
    match grantee.kind:
        case GranteeKind.PERSON | GranteeKind.CITIZEN:
            reached = may_reach(label, directory.subject_of(grantee), entity_id)
        case GranteeKind.ENTITY:
            reached = label < Label.CONFIDENTIAL or (label is Label.CONFIDENTIAL and grantee.id == entity_id)
        case _:
            return
    if not reached:
        raise Invalid(f"what is labelled {label.name.lower()} is not shared with them", reason="LABEL")
