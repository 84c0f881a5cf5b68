"""RestoreVersion, FreezeVersion and DeleteVersion: what may be done to the versions that a file has."""

from document.application import effects
from document.application.access import Opened
from document.application.ports import Nodes
from document.domain.deeds import Deed, Verb
from document.domain.node import Act, Node
from document.domain.permissions import Role
from document.domain.versions import with_frozen, with_restored, without_version


async def restore_version(nodes: Nodes, act: Act, node_id: str, number: int) -> Node:
    """The file with the content of that version as its newest one."""

    def restoring(opened: Opened) -> tuple[Node, Deed]:
        return with_restored(opened.node, act, number), Deed(Verb.RESTORE_VERSION, act, version=number)

    return await effects.change(nodes, act, node_id, Role.EDITOR, restoring)


async def freeze_version(nodes: Nodes, act: Act, node_id: str, number: int, *, frozen: bool) -> Node:
    """The file with that version protected from being deleted; only managers take the protection away."""

    def freezing(opened: Opened) -> tuple[Node, Deed]:
        return with_frozen(opened.node, act, number, frozen=frozen), Deed(Verb.FREEZE_VERSION, act, version=number)

    return await effects.change(nodes, act, node_id, Role.EDITOR if frozen else Role.MANAGER, freezing)


async def delete_version(nodes: Nodes, act: Act, node_id: str, number: int) -> Node:
    """The file without that version, whose content is collected later."""

    def deleting(opened: Opened) -> tuple[Node, Deed]:
        return without_version(opened.node, act, number), Deed(Verb.DELETE_VERSION, act, version=number)

    return await effects.change(nodes, act, node_id, Role.MANAGER, deleting)
