"""What an upload says of its content before it comes, and what is found when it has."""

import re
from dataclasses import dataclass

from errors import Invalid

DEFAULT_MEDIA_TYPE = "application/octet-stream"
_MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+( ?; ?[\w.+-]+=(\w[\w.+-]*|\"[ !#-~]*\"))*", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Announced:
    """The content that the header of an upload announces.

    `size` is in bytes; `sha256` is hexadecimal, or empty when the client does not say it.
    """

    size: int
    sha256: str
    media_type: str

    @classmethod
    def read(cls, *, size: int, sha256: str, media_type: str) -> "Announced":
        """Checks and normalises the fields.

        Raises:
            Invalid: the hash is not one, or the media type is none of RFC 9110.
        """
        sha256, media_type = sha256.lower(), media_type or DEFAULT_MEDIA_TYPE
        if sha256 and not _SHA256.fullmatch(sha256):
            raise Invalid("sha256 is not 64 hexadecimal digits", reason="SHA256")
        if not _MEDIA_TYPE.fullmatch(media_type):
            raise Invalid("media_type is not a type and a subtype", reason="MEDIA_TYPE")
        return cls(size, sha256, media_type)

    def check(self, size: int, sha256: str) -> None:
        """Raises `Invalid` when this is other content than was announced."""
        if size != self.size:
            raise Invalid(f"{self.size} bytes were announced and {size} came", reason="SIZE_MISMATCH")
        if self.sha256 and sha256 != self.sha256:
            raise Invalid("the content has another SHA-256 than was announced", reason="HASH_MISMATCH")


@dataclass(frozen=True, slots=True)
class Stored:
    """Content that is durable; `blob` says where."""

    size: int
    sha256: str
    media_type: str
    blob: str
