"""The few typed errors that cross a boundary.

Domain code raises them, the RPC interceptor turns them into status codes and the settling consumer
into waiting (`Transient`) or a dead letter (`Invalid`). Any other exception is a bug.
"""

from typing import ClassVar


class RossioError(Exception):
    """A failure that its caller can act on.

    `reason` is a stable UPPER_SNAKE word for programs (google.rpc.ErrorInfo), `details` are further
    facts for people. Neither may hold a secret, nor data of a person other than the caller.
    """

    default_reason: ClassVar[str] = "UNKNOWN"

    def __init__(self, message: str, *, reason: str | None = None, **details: str) -> None:
        super().__init__(message)
        self.reason = reason or self.default_reason
        self.details = details


class Invalid(RossioError):
    """The input can never work, however often it is tried."""

    default_reason = "INVALID"


class NotFound(RossioError):
    """It does not exist, or not for this caller."""

    default_reason = "NOT_FOUND"


class Unauthenticated(RossioError):
    """Nobody knows who is calling."""

    default_reason = "UNAUTHENTICATED"


class NotAllowed(RossioError):
    """The caller is known and may not do this to something that they may see."""

    default_reason = "NOT_ALLOWED"


class Conflict(RossioError):
    """The state is not the one that the caller acted on; reading again and repeating may work."""

    default_reason = "CONFLICT"


class Exhausted(RossioError):
    """A limit or quota is used up; later may work."""

    default_reason = "EXHAUSTED"


class Transient(RossioError):
    """Something that this depends on is down or slow; the same again may work."""

    default_reason = "TRANSIENT"
