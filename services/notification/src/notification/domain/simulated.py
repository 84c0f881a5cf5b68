"""Recipients who do not exist: whoever sends to them sees how a message fares, and nobody gets one."""

from collections.abc import Mapping
from typing import Final

from notification.domain.vocabulary import Status

# Address -> what becomes of a message: None, no provider takes it now.
RECIPIENTS: Final[Mapping[str, Status | None]] = {
    "delivered@simulated.invalid": Status.DELIVERED,
    "bounced@simulated.invalid": Status.FAILED,
    "deferred@simulated.invalid": None,
    "+351919999001": Status.DELIVERED,
    "+351919999002": Status.FAILED,
    "+351919999003": None,
}


def outcome(address: str) -> Status | None:
    """What becomes of a message to the address, were it sent with a test key."""
    return RECIPIENTS.get(address, Status.DELIVERED)
