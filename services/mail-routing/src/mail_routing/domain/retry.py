"""When a deferred mail is tried again (RFC 5321 section 4.5.4.1)."""

from datetime import datetime, timedelta
from math import ceil

FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=4)
GIVE_UP_AFTER = timedelta(days=5)


def postponed(accepted_at: datetime, now: datetime, seconds: float, jitter: float) -> datetime:
    """When a mail comes up again whose site is left alone for so many `seconds`: no attempt is made before.

    The longer it has waited, the less it matters how soon: about an eighth of its age, at most the longest wait, so
    that what has piled up for a dead site is seldom looked at. Never beyond the five days, of which the end is an
    attempt. Mails of like age come up at one time, so that a pile is put off in few writes.
    """
    eighth = timedelta(seconds=1 << int((now - accepted_at).total_seconds() / 8).bit_length() >> 1)
    wait = max(timedelta(seconds=ceil(seconds)), min(eighth, LONGEST_WAIT)) * (1 + jitter / 2)
    return min(now + wait, max(now, accepted_at + GIVE_UP_AFTER))


def next_attempt(accepted_at: datetime, now: datetime, attempts: int, jitter: float) -> datetime | None:
    """The time of the attempt after the `attempts`-th (1 or more) failed, or None when five days are over.

    The wait doubles from one minute to four hours; `jitter` (0 to 1, uniformly random) spreads it over three
    quarters to five quarters, so that the mails of one outage do not come back together. The last attempt
    falls on the end of the five days.
    """
    deadline = accepted_at + GIVE_UP_AFTER
    if now >= deadline:
        return None
    doubled: int = 1 << min(attempts - 1, 20)
    wait = min(FIRST_WAIT * doubled, LONGEST_WAIT) * (0.75 + jitter / 2)
    return min(now + wait, deadline)
