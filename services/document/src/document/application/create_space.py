"""CreateSpace: a new tree, of the caller's entity, of a team or of their own."""

from errors import Invalid

from document.application import effects
from document.application.ports import Directory, Nodes
from document.domain.deeds import Deed, Verb
from document.domain.node import Act, Node, new_space
from document.domain.permissions import Grantee, GranteeKind


async def create_space(
    nodes: Nodes, directory: Directory, act: Act, name: str, *, personal: bool, team_group_id: str = ""
) -> Node:
    """The top folder of the new space.

    Raises:
        Invalid: GRANTEE, there is no such team; SPACE, it cannot be a team's and personal.
    """
    team = Grantee(GranteeKind.GROUP, team_group_id) if team_group_id else None
    if team is not None and personal:
        raise Invalid("a space is personal or a team's", reason="SPACE")
    if team is not None and not directory.knows(team):
        raise Invalid("there is no such group", reason="GRANTEE")
    return await effects.add(nodes, new_space(act, name, personal=personal, team=team), Deed(Verb.CREATE_SPACE, act))
