"""One record on its way to being settled."""

from collections.abc import Awaitable, Callable, Sequence

from errors import Invalid
from google.protobuf.message import Message

from messaging.envelope import Delivery
from messaging.reader import Record

Handler = Callable[[Sequence[Delivery]], Awaitable[None]]
"""Does the work of events, so that it may be done again; what it raises decides what becomes of them."""


class Item:
    """A record, what is known about it, and what has been tried."""

    __slots__ = ("alone", "failures", "fresh", "handler", "message_type", "record", "refusal", "settled", "waits")

    def __init__(
        self,
        record: Record,
        message_type: type[Message] = Message,
        handler: Handler | None = None,
        refusal: Invalid | None = None,
    ) -> None:
        self.record = record
        self.message_type = message_type
        self.handler = handler
        self.refusal = refusal
        """Set when not even its type can be read, so that it has no handler."""
        self.failures = 0
        """Attempts that ended as a bug."""
        self.waits = 0
        """Attempts after which it had to wait, for whatever reason."""
        self.fresh = False
        """It came onto the stream after the partition had come to this process."""
        self.alone = False
        """It was in a batch that failed, and is tried by itself."""
        self.settled = False
