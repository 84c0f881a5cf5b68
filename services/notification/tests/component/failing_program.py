"""notification with handlers that fail as real ones do; run as a program by test_torture.py.

The first time that this process is given an event, the call fails for one in fifty: as a bug for some of them,
as a dependency that is down for the others.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from errors import Transient
from messaging import Delivery
from notification import main
from notification.entrypoints.consumers import Reactions, Requests

_tried: set[str] = set()


def failing(handle: Callable[[Any, Sequence[Delivery]], Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    async def attempt(self: Any, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            chance = hashlib.sha256(delivery.id.encode()).digest()[0]
            if chance < 256 // 50 and delivery.id not in _tried:
                _tried.add(delivery.id)
                raise (Transient("down, says the test") if chance % 2 else RuntimeError("a bug, says the test"))
        await handle(self, deliveries)

    return attempt


if __name__ == "__main__":
    for kind, names in (
        (Reactions, ("mail", "shared", "link_ending", "published", "acknowledgement_due", "gone")),
        (Requests, ("send",)),
    ):
        for name in names:
            setattr(kind, name, failing(getattr(kind, name)))
    main.main()
