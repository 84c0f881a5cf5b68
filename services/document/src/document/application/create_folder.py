"""CreateFolder."""

from document.application import effects
from document.application.access import open_node
from document.application.ports import Nodes
from document.domain.deeds import Deed, Verb
from document.domain.node import Act, Node, new_folder
from document.domain.permissions import Role


async def create_folder(nodes: Nodes, act: Act, parent_id: str, name: str) -> Node:
    if done := await effects.done_before(nodes, act, act.act_id):
        return done
    parent = await open_node(nodes, act.subject, parent_id, Role.EDITOR)
    folder = new_folder(act, parent.node, len(parent.path), name)
    return await effects.add(nodes, folder, Deed(Verb.CREATE_FOLDER, act))
