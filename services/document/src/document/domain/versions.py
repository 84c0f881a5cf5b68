"""What happens to the versions of a file that it has already, and to its lock."""

from dataclasses import replace
from datetime import timedelta

from errors import Conflict, Invalid, NotAllowed

from document.domain.content import Stored
from document.domain.node import Act, Kind, Lock, Node, Version, changed, lock_at, version_of, with_version, written


def with_restored(node: Node, act: Act, number: int) -> Node:
    """The file with the content of an old version as its newest one."""
    old = version_of(node, number)
    return with_version(node, act, Stored(old.size, old.sha256, old.media_type, old.blob))


def with_frozen(node: Node, act: Act, number: int, *, frozen: bool) -> Node:
    """The file with a version that cannot be deleted, or can again."""
    return _with(node, act, replace(version_of(node, number), frozen=frozen))


def without_version(node: Node, act: Act, number: int) -> Node:
    """The file without an old version.

    Raises:
        Conflict: it is frozen, or the current one.
    """
    gone = version_of(node, number)
    if gone.frozen:
        raise Conflict("a frozen version is not deleted", reason="FROZEN")
    if gone is node.versions[-1]:
        raise Conflict("the current version is not deleted: trash the file", reason="CURRENT_VERSION")
    return written(node, act, versions=tuple(version for version in node.versions if version is not gone))


def locked(node: Node, act: Act, lease: timedelta) -> Node:
    """The file under the caller's lock, which a repetition prolongs."""
    if node.kind is not Kind.FILE:
        raise Invalid("a folder is not locked", reason="NOT_A_FILE")
    return written(node, act, lock=Lock(act.subject.grantee, act.at + lease))


def unlocked(node: Node, act: Act, *, anybodys: bool) -> Node:
    """The file without a lock: the caller's own, or anybody's."""
    lock = lock_at(node, act.at)
    if lock and lock.owner != act.subject.grantee and not anybodys:
        raise NotAllowed("only its owner or a manager takes the lock away", reason="LOCKED")
    return changed(node, act, lock=None)


def _with(node: Node, act: Act, version: Version) -> Node:
    """The file with another state of a version that it has."""
    versions = tuple(version if each.number == version.number else each for each in node.versions)
    return written(node, act, versions=versions)
