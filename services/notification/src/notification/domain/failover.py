"""How much each of several providers carries, and when that changes: one pure step, so that a log of it replays.

The rules are those that GOV.UK Notify runs for its SMS providers: a tenth is taken from one that is slow or fails,
never when all are slow, not again before the last step could show what it did; and with time all drift back to rest.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

_RESTING_TOTAL = 100


@dataclass(frozen=True, slots=True)
class Steering:
    """When a share moves, and by how much (in hundredths)."""

    slow_share: float = 0.15
    errors_a_minute: int = 10
    step: int = 10
    cool_down: timedelta = timedelta(minutes=10)
    # Errors are plain at once, so that less time has to pass.
    error_cool_down: timedelta = timedelta(minutes=1)
    drift_after: timedelta = timedelta(hours=1)
    drift_step: int = 5


@dataclass(frozen=True, slots=True)
class Measured:
    """What one provider did: messages of the last 15 minutes and the slow ones of them, errors of the last one.

    Slow is what it took long to take, or what had no receipt in time.
    """

    sent: int = 0
    slow: int = 0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class Shares:
    """Hundredths by provider, and when they last moved."""

    of: Mapping[str, int]
    moved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What was done, and why: "errors", "slow", "drift", or "" for nothing."""

    after: Shares
    reason: str = ""
    provider: str = ""


def steer(
    shares: Shares, measured: Mapping[str, Measured], rest: Mapping[str, int], rules: Steering, at: datetime
) -> Step:
    """The next step; a provider that was not measured has done nothing wrong."""
    names = sorted(shares.of)
    if len(names) < 2:
        return Step(shares)
    failing = [each for each in names if measured.get(each, Measured()).errors >= rules.errors_a_minute]
    slow = [each for each in names if _is_slow(measured.get(each, Measured()), rules)]
    for reason, bad, pause in (("errors", failing, rules.error_cool_down), ("slow", slow, rules.cool_down)):
        if not bad or len(bad) == len(names):
            continue
        if shares.moved_at is not None and at - shares.moved_at < pause:
            return Step(shares)
        worst = max(bad, key=lambda each: (shares.of[each], each))
        return _shifted(shares, worst, [each for each in names if each not in bad], rules.step, reason, at)
    if failing or slow:
        return Step(shares)
    return _drifted(shares, rest, rules, at)


def _is_slow(each: Measured, rules: Steering) -> bool:
    return each.sent > 0 and each.slow >= rules.slow_share * each.sent


def _shifted(shares: Shares, worst: str, others: list[str], step: int, reason: str, at: datetime) -> Step:
    taken = min(step, shares.of[worst])
    if taken == 0:
        return Step(shares)
    given, left = divmod(taken, len(others))
    moved = dict(shares.of)
    moved[worst] -= taken
    for index, each in enumerate(others):
        moved[each] += given + (index < left)
    return Step(Shares(moved, at), reason, worst)


def _drifted(shares: Shares, rest: Mapping[str, int], rules: Steering, at: datetime) -> Step:
    away = {each: shares.of[each] - rest.get(each, 0) for each in shares.of}
    if not any(away.values()) or (shares.moved_at is not None and at - shares.moved_at < rules.drift_after):
        return Step(shares)
    most, least = (choose(away, key=lambda each: (away[each], each)) for choose in (max, min))
    step = min(rules.drift_step, away[most], -away[least])
    return Step(Shares({**shares.of, most: shares.of[most] - step, least: shares.of[least] + step}, at), "drift", least)


def resting(names: list[str]) -> dict[str, int]:
    """Equal shares; what does not divide goes to the first ones."""
    given, left = divmod(_RESTING_TOTAL, len(names))
    return {each: given + (index < left) for index, each in enumerate(names)}


def choose(shares: Mapping[str, int], key: str) -> str:
    """The provider for a message: by its share, and always the same for the same key and shares."""
    names = sorted(shares)
    total = sum(shares.values())
    if total == 0:
        return names[0]
    point = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % total
    for name in names:
        if point < shares[name]:
            return name
        point -= shares[name]
    return names[-1]
