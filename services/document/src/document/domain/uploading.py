"""Uploads that come in several goes: what is remembered of one between two of them."""

from dataclasses import dataclass
from datetime import datetime

from errors import Conflict, Invalid, NotFound

from document.domain.content import Announced, Stored
from document.domain.permissions import Subject


@dataclass(frozen=True, slots=True)
class NewFile:
    parent_id: str
    name: str


@dataclass(frozen=True, slots=True)
class NewVersion:
    """`etag` is that of the state which it replaces; empty: whichever is there."""

    node_id: str
    etag: str


Target = NewFile | NewVersion


def target_of(*, parent_id: str, name: str, node_id: str, etag: str) -> Target:
    """Raises:
    Invalid: it is not one of a new file and a new version.
    """
    match bool(parent_id and name), bool(node_id):
        case True, False:
            return NewFile(parent_id, name)
        case False, True:
            return NewVersion(node_id, etag)
        case _:
            raise Invalid("say either parent_id and name, or node_id", reason="TARGET")


@dataclass(frozen=True, slots=True)
class Uploading:
    """An upload. The file that it makes, or the act that adds its version, bears its id.

    `draft` is where its content is taken; `stored` what it became, set before the draft is kept, so
    that whoever comes later finds it; `node_id` the file, once it is listed. `metadata` is what the client said of it
    over HTTP, which is told back as it is.
    """

    upload_id: str
    owner_id: str
    entity_id: str
    target: Target
    announced: Announced
    draft: str
    expires_at: datetime
    stored: Stored | None = None
    node_id: str = ""
    metadata: str = ""

    def check(self, subject: Subject, now: datetime) -> None:
        """Raises `NotFound`: it is somebody else's, or given up."""
        if self.owner_id != str(subject.grantee):
            raise NotFound("there is no such upload", reason="NO_SUCH_UPLOAD")
        if self.expires_at <= now:
            raise NotFound("the upload has expired; begin again", reason="UPLOAD_EXPIRED")

    def check_offset(self, offset: int, stands: int) -> None:
        """Raises `Conflict`: content for another place came; `offset` among the details says for which one."""
        if offset != stands:
            raise Conflict(f"the upload stands at {stands}", reason="OFFSET", offset=str(stands))

    def check_size(self, size: int) -> None:
        """Raises `Invalid`: more came than was announced."""
        if size > self.announced.size:
            raise Invalid(f"more than the announced {self.announced.size} bytes came", reason="SIZE_MISMATCH")


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a part of an upload is said to hash to."""

    algorithm: str
    digest: bytes
