"""What was done to a node: from this, and the node as it is after it, the facts are made."""

from dataclasses import dataclass
from enum import StrEnum

from document.domain.node import Act
from document.domain.permissions import Grant


class Verb(StrEnum):
    """The actions of the audit records."""

    CREATE_SPACE = "document.space.create"
    CREATE_FOLDER = "document.folder.create"
    STORE = "document.file.store"
    SHARE = "document.node.share"
    UNSHARE = "document.node.unshare"
    LABEL = "document.node.label"
    RENAME = "document.node.rename"
    MOVE = "document.node.move"
    COPY = "document.node.copy"
    TRASH = "document.node.trash"
    RESTORE = "document.node.restore"
    PURGE = "document.node.purge"
    RESTORE_VERSION = "document.version.restore"
    FREEZE_VERSION = "document.version.freeze"
    DELETE_VERSION = "document.version.delete"
    LOCK = "document.file.lock"
    UNLOCK = "document.file.unlock"
    CREATE_LINK = "document.link.create"
    USE_LINK = "document.link.use"
    REVOKE_LINK = "document.link.revoke"


@dataclass(frozen=True, slots=True)
class Deed:
    """An act that was done; the grant that it gave or took, the number of the version, or the link, if about one."""

    verb: Verb
    act: Act
    grant: Grant | None = None
    version: int = 0
    link_id: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """A folder's way to another one, written down before it is gone, so that anybody can finish it.

    It is gone when the node is at `revision`, and at no other: so late, or twice, it has no effect.
    """

    act: Act
    node_id: str
    revision: int
    parent_id: str
    name: str
