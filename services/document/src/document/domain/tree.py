"""What happens to a node's place: another name, another folder, the trash and back, a copy.

Each is one change of one node, however much lies below it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b

from errors import Conflict, Invalid

from document.domain import names
from document.domain.node import LEFT, Act, Kind, Node, changed, check_holds, version_of, written
from document.domain.permissions import Label, label_of


def renamed(node: Node, act: Act, name: str) -> Node:
    """The node with another name."""
    return written(node, act, name=names.normalise(name))


def moved(path: Sequence[Node], act: Act, to: Sequence[Node], name: str) -> Node:
    """The last node of the path in another folder, whose own path is `to`; an empty name keeps the one it has.

    The label that was in force goes with it where the new place has a weaker one.

    Raises:
        Invalid: it would lie nowhere, in itself, in a file or in another space; or it is a space.
    """
    if not to:
        raise Invalid("the folder is not there", reason="NOT_A_FOLDER")
    node, folder = path[-1], to[-1]
    if node.is_top:
        raise Invalid("a space is not moved", reason="SPACE")
    if any(above.node_id == node.node_id for above in to):
        raise Invalid("a folder cannot lie in itself", reason="CYCLE")
    if node.space_id != folder.space_id:
        raise Invalid("nothing is moved into another space: copy it, then trash it here", reason="OTHER_SPACE")
    check_holds(folder, len(to))
    return written(
        node,
        act,
        parent_id=folder.node_id,
        left=(*node.left, node.parent_id)[-LEFT:],
        name=names.normalise(name) if name else node.name,
        label=_carried(path, to),
    )


def trashed(node: Node, act: Act) -> Node:
    """The node in the trash, and with it all that is below."""
    return written(node, act, trashed_at=act.at)


def restored(node: Node, act: Act, name: str) -> Node:
    """The node back in its folder, under another name if one is said."""
    if not node.trashed:
        raise Conflict("it does not lie in the trash", reason="NOT_TRASHED")
    return changed(node, act, trashed_at=None, name=names.normalise(name) if name else node.name)


def purged(node: Node, act: Act) -> Node:
    """The node, which lay in the trash, gone for good, and with it all that is below."""
    if not node.trashed:
        raise Conflict("only what lies in the trash is purged", reason="NOT_TRASHED")
    return changed(node, act, purged=True)


def swept(node: Node, at: datetime) -> Node:
    """What is left of a purged node, or one below, so that whoever has a copy can be told that it is gone."""
    return Node(
        node_id=node.node_id,
        space_id=node.space_id,
        parent_id=node.parent_id,
        entity_id=node.entity_id,
        kind=node.kind,
        name="",
        created_at=node.created_at,
        updated_at=at,
        purged=True,
        swept=True,
        left=node.left,
        receipts=node.receipts,
        charge=node.charge,
        revision=node.revision + 1,
    )


def copied(path: Sequence[Node], act: Act, to: Sequence[Node], name: str) -> Node:
    """A copy of the last node of the path in a folder, whose own path is `to`: without grants, lock or older versions.

    Content is not copied, but referred to; so the copy stays with the entity whose key encrypts it.
    """
    source, folder = path[-1], to[-1]
    if source.entity_id != folder.entity_id:
        raise Invalid("another entity cannot read the content: fetch and store it", reason="OTHER_ENTITY")
    check_holds(folder, len(to))
    current = (replace(version_of(source, 0), number=1, frozen=False),) if source.kind is Kind.FILE else ()
    return Node(
        node_id=copy_id(act, source),
        space_id=folder.space_id,
        parent_id=folder.node_id,
        entity_id=folder.entity_id,
        kind=source.kind,
        name=names.normalise(name) if name else source.name,
        created_at=act.at,
        updated_at=act.at,
        label=_carried(path, to),
        versions=current,
        receipts=(act.act_id,),
    )


def copy_id(act: Act, source: Node) -> str:
    """The id of the copy that an act makes of a node: the same, however often it is tried."""
    return blake2b(f"{act.act_id}/{source.node_id}".encode(), digest_size=16, person=b"document.copy").hexdigest()


def _carried(path: Sequence[Node], to: Sequence[Node]) -> Label:
    """The label of its own that a node needs in a new place to be guarded as well as in the old one."""
    before = label_of(path)
    return before if before > label_of(to) else path[-1].label
