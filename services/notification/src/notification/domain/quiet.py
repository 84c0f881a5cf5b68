"""Times in a person's zone: quiet hours, and when digests go out; right across changes of the clock."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from errors import Invalid

DEFAULT_ZONE: Final = "Europe/Lisbon"
_DAILY: Final = time(8)


class Digest(StrEnum):
    """How often somebody wants to hear of a topic."""

    IMMEDIATE = "immediate"
    HOURLY = "hourly"
    DAILY = "daily"


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From one time of day to another, which may be on the next day; none when both are the same."""

    begin: time
    end: time

    def until(self, at: datetime, zone: ZoneInfo) -> datetime | None:
        """When the quiet hours end that `at` (aware) lies in, in UTC; None when it lies in none."""
        local = at.astimezone(zone)
        clock = local.time()
        if self.begin <= self.end:
            inside, tomorrow = self.begin <= clock < self.end, False
        else:
            inside, tomorrow = clock >= self.begin or clock < self.end, clock >= self.begin
        if not inside:
            return None
        return _first_at(self.end, local, at, zone, days=int(tomorrow))


def next_digest(digest: Digest, at: datetime, zone: ZoneInfo) -> datetime | None:
    """When the digest goes out that `at` (aware) belongs to, in UTC: the next full hour, or the next 8 o'clock."""
    match digest:
        case Digest.IMMEDIATE:
            return None
        case Digest.HOURLY:
            hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
            return hour + timedelta(hours=1)
        case Digest.DAILY:
            local = at.astimezone(zone)
            return _first_at(_DAILY, local, at, zone, days=int(local.time() >= _DAILY))


def zone_of(name: str) -> ZoneInfo:
    """Raises Invalid for a name that is no zone."""
    try:
        return ZoneInfo(name or DEFAULT_ZONE)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Invalid("there is no such time zone", reason="ZONE_UNKNOWN") from error


def _first_at(clock: time, local: datetime, after: datetime, zone: ZoneInfo, *, days: int) -> datetime:
    """The first moment after `after` at which the clock shows `clock`, so many days later.

    A time that the clock shows twice in autumn is the first of the two, unless that has passed; one that it skips
    in spring counts as if the clock had not been changed.
    """
    day = local.date() + timedelta(days=days)
    moments = [datetime.combine(day, clock.replace(fold=fold), zone).astimezone(UTC) for fold in (0, 1)]
    return next((each for each in moments if each > after), moments[-1])
