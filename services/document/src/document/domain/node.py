"""Nodes: the folders and files of a space, and each change that one can go through.

A node knows its parent and nothing of what is above that or below itself, so moving, sharing or
trashing a big tree changes one node. What a change gives is a new node; the store writes the
difference together with the facts about it.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from errors import Conflict, Exhausted, Invalid, NotFound

from document.domain import names
from document.domain.content import Stored
from document.domain.permissions import Grant, Grantee, GranteeKind, Role, Subject

MAX_DEPTH = 64
"""Levels from the top folder of a space down."""
MAX_GRANTS = 200
MAX_VERSIONS = 10_000
RECEIPTS = 32
"""How many of its latest changes a node remembers, to know a repeated request."""


class Kind(StrEnum):
    FOLDER = "folder"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Version:
    """One content of a file; `number` counts from 1, `size` is in bytes, `sha256` hexadecimal, `blob` where it lies."""

    number: int
    size: int
    sha256: str
    media_type: str
    author_id: str
    created_at: datetime
    blob: str


@dataclass(frozen=True, slots=True)
class Node:
    """A folder or a file.

    The top folder of a space has the space's id and no parent; `owner_person_id` is set on that of
    a personal space. `versions` has the oldest first. `receipts` are the ids of the requests that
    made its latest changes. `revision` counts the changes.
    """

    node_id: str
    space_id: str
    parent_id: str
    entity_id: str
    kind: Kind
    name: str
    created_at: datetime
    updated_at: datetime
    owner_person_id: str = ""
    trashed_at: datetime | None = None
    grants: tuple[Grant, ...] = ()
    versions: tuple[Version, ...] = ()
    receipts: tuple[str, ...] = ()
    revision: int = 1

    @property
    def trashed(self) -> bool:
        return self.trashed_at is not None

    @property
    def etag(self) -> str:
        return str(self.revision)

    @property
    def is_top(self) -> bool:
        return not self.parent_id

    @property
    def place(self) -> tuple[str, str]:
        """Where it hangs and the key that is unique there.

        In a folder that is the folded name. Names of spaces may repeat, so that nobody learns of a
        space that they cannot see; what lies in the trash keeps nobody from using its name.
        """
        if self.trashed:
            return f"trash:{self.space_id}", self.node_id
        if self.is_top:
            return f"spaces:{self.entity_id}", self.node_id
        return self.parent_id, names.fold(self.name)


@dataclass(frozen=True, slots=True)
class Act:
    """Somebody's wish to change something: who, when, and the id that a repetition would have too.

    What the act makes, a node or a grant, bears this id.
    """

    act_id: str
    subject: Subject
    at: datetime


def new_space(act: Act, name: str, *, personal: bool) -> Node:
    """The top folder of a space: managed by who makes it, and read by their entity unless it is personal."""
    who = act.subject
    grants = [_grant(act, Grantee(GranteeKind.PERSON, who.person_id), Role.MANAGER)]
    if not personal:
        everybody = _grant(act, Grantee(GranteeKind.ENTITY, who.entity_id), Role.READER)
        grants.append(replace(everybody, grant_id=f"{act.act_id}.entity"))
    return Node(
        node_id=act.act_id,
        space_id=act.act_id,
        parent_id="",
        entity_id=who.entity_id,
        kind=Kind.FOLDER,
        name=names.normalise(name),
        created_at=act.at,
        updated_at=act.at,
        owner_person_id=who.person_id if personal else "",
        grants=tuple(grants),
        receipts=(act.act_id,),
    )


def new_folder(act: Act, parent: Node, depth: int, name: str) -> Node:
    """A folder in the parent, which lies `depth` levels deep."""
    return _child(act, parent, depth, Kind.FOLDER, name)


def new_file(act: Act, parent: Node, depth: int, name: str, content: Stored) -> Node:
    """A file in the parent, which lies `depth` levels deep, with its first version."""
    return replace(_child(act, parent, depth, Kind.FILE, name), versions=(_version(1, act, content),))


def with_version(node: Node, act: Act, content: Stored) -> Node:
    """The file with one more version, which is the current one from now on."""
    if len(node.versions) >= MAX_VERSIONS:
        raise Exhausted(f"a file has at most {MAX_VERSIONS} versions", reason="VERSIONS")
    number = version_of(node, 0).number + 1
    return _changed(node, act, versions=(*node.versions, _version(number, act, content)))


def version_of(node: Node, number: int) -> Version:
    """A version of a file by its number, 0 for the current one."""
    if node.kind is not Kind.FILE:
        raise Invalid("a folder has no content", reason="NOT_A_FILE")
    if number == 0:
        return node.versions[-1]
    for version in node.versions:
        if version.number == number:
            return version
    raise NotFound("the file has no such version")


def shared(node: Node, act: Act, grantee: Grantee, role: Role) -> Node:
    """The node with the grant; a grantee has one on a node, so an earlier one is replaced."""
    others = tuple(grant for grant in node.grants if grant.grantee != grantee)
    if len(others) >= MAX_GRANTS:
        raise Exhausted(f"a node has at most {MAX_GRANTS} grants: grant to a group instead", reason="GRANTS")
    return _managed(_changed(node, act, grants=(*others, _grant(act, grantee, role))))


def unshared(node: Node, act: Act, grant_id: str) -> Node:
    """The node without the grant."""
    grant_of(node, grant_id)
    return _managed(_changed(node, act, grants=tuple(g for g in node.grants if g.grant_id != grant_id)))


def grant_of(node: Node, grant_id: str) -> Grant:
    for grant in node.grants:
        if grant.grant_id == grant_id:
            return grant
    raise NotFound("the node has no such grant")


def trashed(node: Node, act: Act) -> Node:
    """The node in the trash, and with it all that is below."""
    return _changed(node, act, trashed_at=act.at)


def check_etag(node: Node, etag: str) -> None:
    """Raises `Conflict` when the caller acts on another state than this one; an empty etag is any."""
    if etag and etag != node.etag:
        raise Conflict("the file was changed since", reason="STALE_ETAG")


def _child(act: Act, parent: Node, depth: int, kind: Kind, name: str) -> Node:
    if parent.kind is not Kind.FOLDER:
        raise Invalid("only a folder holds others", reason="NOT_A_FOLDER")
    if depth >= MAX_DEPTH:
        raise Invalid(f"folders go {MAX_DEPTH} levels deep", reason="TOO_DEEP")
    return Node(
        node_id=act.act_id,
        space_id=parent.space_id,
        parent_id=parent.node_id,
        entity_id=parent.entity_id,
        kind=kind,
        name=names.normalise(name),
        created_at=act.at,
        updated_at=act.at,
        receipts=(act.act_id,),
    )


def _version(number: int, act: Act, content: Stored) -> Version:
    return Version(
        number, content.size, content.sha256, content.media_type, act.subject.person_id, act.at, content.blob
    )


def _grant(act: Act, grantee: Grantee, role: Role) -> Grant:
    return Grant(act.act_id, grantee, role, act.subject.person_id, act.at)


def _changed(node: Node, act: Act, **changes: Any) -> Node:
    receipts = (*node.receipts, act.act_id)[-RECEIPTS:]
    return replace(node, updated_at=act.at, receipts=receipts, revision=node.revision + 1, **changes)


def _managed(node: Node) -> Node:
    """The node, unless nobody, or no longer the owner, could manage its space."""
    managers = {grant.grantee for grant in node.grants if grant.role is Role.MANAGER}
    owner = Grantee(GranteeKind.PERSON, node.owner_person_id)
    if node.is_top and (owner not in managers if node.owner_person_id else not managers):
        raise Conflict("a space keeps a manager, and a personal one its owner", reason="LAST_MANAGER")
    return node
