"""mail-routing in which one in fifty handler calls fails, and mails marked X-Poison do while POISON is set.

While the file that FULL_DISK names is there, the mailboxes have no room.
"""

import errno
import os
import random
from pathlib import Path
from typing import Any

from errors import Invalid, Transient
from mail_routing import main
from mail_routing.application.deliver import Deliver
from mail_routing.domain.message import Message

_chance = random.Random(os.getpid())
_deliver = Deliver.__call__


async def failing(self: Deliver, message: Message, *, fresh: bool = False) -> None:
    roll = _chance.random()
    if roll < 0.01:
        raise Transient("a dependency is down, says the test")
    if roll < 0.02:
        raise RuntimeError("a bug, says the test")
    if "POISON" in os.environ and isinstance(message.content, bytes) and b"X-Poison" in message.content:
        raise Invalid("poison, says the test", reason="POISON")
    await _deliver(self, message, fresh=fresh)


_fsync = os.fsync


def full(descriptor: Any) -> None:
    if Path(os.environ["FULL_DISK"]).exists():
        raise OSError(errno.ENOSPC, "no space left, says the test")
    _fsync(descriptor)


if __name__ == "__main__":
    Deliver.__call__ = failing  # type: ignore[method-assign]
    os.fsync = full  # type: ignore[assignment]
    main.main()
