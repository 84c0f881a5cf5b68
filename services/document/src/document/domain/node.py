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
from document.domain.permissions import Grant, Grantee, GranteeKind, Label, Role, Subject

MAX_DEPTH = 64
"""Levels from the top folder of a space down."""
MAX_GRANTS = 200
MAX_VERSIONS = 10_000
ARRIVING, PURGED = "arriving", "purged"
"""Where nodes hang that nobody sees, see `Node.place`."""
SWEPT = "~"
"""Where the keys of what was swept begin."""
RECEIPTS = 32
"""How many of its latest changes a node remembers, to know a repeated request."""
LEFT = 16
"""How many of the folders that it was moved out of a node remembers, to tell those who saw it there."""


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
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class Lock:
    """The right of one caller to write a file alone, until it ends."""

    owner: Grantee
    until: datetime


@dataclass(frozen=True, slots=True)
class Node:
    """A folder or a file.

    The top folder of a space has the space's id and no parent; `owner_person_id` is set on that of
    a personal space. `versions` has the oldest first. `receipts` are the ids of the requests that
    made its latest changes. `revision` counts the changes. `label` is its own; the one in force may
    come from above. What is `arriving` is not there yet for anybody, what is `purged` no
    longer, nor is anything below it; when it is `swept`, too, nothing is left of it but that it was there.
    `left` are the folders that it was moved out of.
    `charge` is that of its last write that changed how much it holds, see `quota.Charge`.
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
    arriving: bool = False
    purged: bool = False
    swept: bool = False
    left: tuple[str, ...] = ()
    grants: tuple[Grant, ...] = ()
    label: Label = Label.NONE
    lock: Lock | None = None
    versions: tuple[Version, ...] = ()
    receipts: tuple[str, ...] = ()
    charge: str = ""
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
        What is swept lies behind all else that is purged, by time.
        """
        if self.swept:
            return PURGED, f"{swept_by(self.updated_at)}.{self.node_id}"
        if self.purged:
            return PURGED, self.node_id
        if self.arriving:
            return ARRIVING, self.node_id
        if self.trashed:
            return trash_of(self.space_id), self.node_id
        if self.is_top:
            return f"spaces:{self.entity_id}", self.node_id
        return self.parent_id, names.fold(self.name)


@dataclass(frozen=True, slots=True)
class Act:
    """Somebody's wish to change something: who, when, and the id that a repetition would have too.

    What the act makes, a node or a grant, bears this id. `etag` is that of the state which it means
    to change; empty: whichever is there.
    """

    act_id: str
    subject: Subject
    at: datetime
    etag: str = ""


def swept_by(at: datetime) -> str:
    """Where the keys of what was swept by then end, see `Node.place`; beyond all ids."""
    return f"{SWEPT}{at:%Y%m%d%H%M%S}"


def trash_of(space_id: str) -> str:
    """Where the trash of a space hangs, see `Node.place`."""
    return f"trash:{space_id}"


def new_space(act: Act, name: str, *, personal: bool, team: Grantee | None = None) -> Node:
    """The top folder of a space: managed by who makes it; edited by a team, or read by their entity, or personal."""
    who = act.subject
    grants = [_grant(act, who.grantee, Role.MANAGER)]
    if team is not None:
        grants.append(replace(_grant(act, team, Role.EDITOR), grant_id=f"{act.act_id}.team"))
    elif not personal:
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
        owner_person_id=who.id if personal else "",
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
    return written(node, act, versions=(*node.versions, _version(number, act, content)))


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


def shared(node: Node, act: Act, grantee: Grantee, role: Role, *, deny: bool = False) -> Node:
    """The node with the grant, or the denial; a grantee has one of each on a node, so an earlier one is replaced."""
    others = tuple(grant for grant in node.grants if (grant.grantee, grant.deny) != (grantee, deny))
    if len(others) >= MAX_GRANTS:
        raise Exhausted(f"a node has at most {MAX_GRANTS} grants: grant to a group instead", reason="GRANTS")
    return _managed(changed(node, act, grants=(*others, replace(_grant(act, grantee, role), deny=deny))))


def unshared(node: Node, act: Act, grant_id: str) -> Node:
    """The node without the grant."""
    grant_of(node, grant_id)
    return _managed(changed(node, act, grants=tuple(g for g in node.grants if g.grant_id != grant_id)))


def grant_of(node: Node, grant_id: str) -> Grant:
    for grant in node.grants:
        if grant.grant_id == grant_id:
            return grant
    raise NotFound("the node has no such grant")


def labelled(node: Node, act: Act, label: Label) -> Node:
    """The node with another label of its own."""
    return changed(node, act, label=label)


def changed(node: Node, act: Act, **changes: Any) -> Node:
    """The next state of the node, which remembers the act."""
    receipts = (*node.receipts, act.act_id)[-RECEIPTS:]
    return replace(node, updated_at=act.at, receipts=receipts, revision=node.revision + 1, **changes)


def written(node: Node, act: Act, **changes: Any) -> Node:
    """`changed`, for what a lock of somebody else keeps from being changed.

    Raises:
        Conflict: LOCKED.
    """
    lock = lock_at(node, act.at)
    if lock and lock.owner != act.subject.grantee:
        raise Conflict("somebody else has locked the file", reason="LOCKED", until=lock.until.isoformat())
    return changed(node, act, **changes)


def lock_at(node: Node, at: datetime) -> Lock | None:
    """The lock, unless it has ended."""
    return node.lock if node.lock and node.lock.until > at else None


def check_etag(node: Node, etag: str) -> None:
    """Raises `Conflict` when the caller acts on another state than this one; an empty etag is any."""
    if etag and etag != node.etag:
        raise Conflict("the file was changed since", reason="STALE_ETAG")


def check_holds(folder: Node, depth: int) -> None:
    """Raises `Invalid` unless the folder, which lies `depth` levels deep, may hold another node."""
    if folder.kind is not Kind.FOLDER:
        raise Invalid("only a folder holds others", reason="NOT_A_FOLDER")
    if depth >= MAX_DEPTH:
        raise Invalid(f"folders go {MAX_DEPTH} levels deep", reason="TOO_DEEP")


def _child(act: Act, parent: Node, depth: int, kind: Kind, name: str) -> Node:
    check_holds(parent, depth)
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
    return Version(number, content.size, content.sha256, content.media_type, act.subject.id, act.at, content.blob)


def _grant(act: Act, grantee: Grantee, role: Role) -> Grant:
    return Grant(act.act_id, grantee, role, act.subject.id, act.at)


def _managed(node: Node) -> Node:
    """The node, unless nobody, or no longer the owner, could manage its space."""
    managers = {grant.grantee for grant in node.grants if grant.role is Role.MANAGER and not grant.deny}
    owner = Grantee(GranteeKind.PERSON, node.owner_person_id)
    if node.is_top and (owner not in managers if node.owner_person_id else not managers):
        raise Conflict("a space keeps a manager, and a personal one its owner", reason="LAST_MANAGER")
    return node
