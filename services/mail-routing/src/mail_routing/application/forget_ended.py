"""Forget what became of mails that ended long ago."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from mail_routing.application.ports import Ended

_TOGETHER = 500


@dataclass(frozen=True, slots=True)
class ForgetEnded:
    """What is known of a mail goes when its last recipient has been at an end for so long, part by part.

    A record that came again after that would be a new mail: `keep_for` is longer than any record may last. Any number
    of processes may do this at once, and die in it.
    """

    ended: Ended
    keep_for: timedelta

    async def __call__(self, now: datetime) -> int:
        """How many parts of mails were forgotten."""
        count = 0
        while some := await self.ended.forget(now - self.keep_for, _TOGETHER):
            count += some
        return count
