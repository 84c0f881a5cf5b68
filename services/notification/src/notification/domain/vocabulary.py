"""The words of the service: what a notice is about, how it travels, where it is."""

from enum import StrEnum


class Topic(StrEnum):
    """What a notice is about; preferences are kept by topic and channel."""

    MAIL = "mail"
    DOCUMENT = "document"
    NEWS = "news"
    PRESCRIPTION = "prescription"
    SERVICE = "service"
    ALERT = "alert"


class Channel(StrEnum):
    """A way to reach somebody."""

    IN_APP = "in_app"
    EMAIL = "email"
    SMS = "sms"
    PUSH = "push"
    WEBHOOK = "webhook"


class Lane(StrEnum):
    """A queue of its own with workers of its own."""

    EMERGENCY = "emergency"
    TRANSACTIONAL = "transactional"
    BULK = "bulk"


class Status(StrEnum):
    """Where one message on one channel is."""

    PENDING = "pending"
    SENT = "sent"
    DELIVERED = "delivered"
    FAILED = "failed"
    SUPPRESSED = "suppressed"

    @property
    def final(self) -> bool:
        """Whether nothing more will become of it."""
        return self in {Status.DELIVERED, Status.FAILED, Status.SUPPRESSED}


class Receipted(StrEnum):
    """What was done with a receipt."""

    TAKEN = "taken"
    # It says nothing that is not known: it came twice, or after another one that was the end.
    REPEATED = "repeated"
    UNKNOWN = "unknown"


class Held(StrEnum):
    """Why a message that is to be sent waits."""

    NOT = ""
    SCHEDULED = "scheduled"
    QUIET = "quiet-hours"
    DIGEST = "digest"
    RATE = "rate-limit"
    RETRY = "retry"
    FALLBACK = "fallback"
