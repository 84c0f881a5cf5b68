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
    TRASH = "document.node.trash"


@dataclass(frozen=True, slots=True)
class Deed:
    """An act that was done; the grant that it gave or took, if it was about one."""

    verb: Verb
    act: Act
    grant: Grant | None = None
