"""What providers did and how their shares moved, in MongoDB."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from errors import Conflict
from store import DESCENDING, Change, Collection, Index, Insert, known

from notification.application.steer_providers import Logged
from notification.domain.failover import Measured, Shares, Steering, Step

# The end of the minute itself, and time for what processes have counted to be written.
_MINUTE: Final = timedelta(minutes=1)
MINUTE_INDEXES: Final = (Index(["kind", "minute"]), Index(["minute"], expire_after=timedelta(hours=2)))
STEP_INDEXES: Final = (Index(["channel", "at"]), Index(["at"], expire_after=timedelta(days=365)))


class StoredProviderLog:
    """Counts in memory, and writes each second: what a process that dies has not written misses in no decision."""

    def __init__(self, minutes: Collection, shares: Collection, steps: Collection, *, prompt: timedelta) -> None:
        """`prompt`: what has had no receipt for longer is slow; as long is waited until a minute is judged by that."""
        self._ripens = prompt + 2 * _MINUTE
        self._minutes = minutes
        self._shares = shares
        self._steps = steps
        self._counted: Counter[tuple[str, datetime, str]] = Counter()

    def count(self, provider: str, what: str, at: datetime) -> None:
        """Counts for the minute of `at`."""
        self._counted[provider, at.replace(second=0, microsecond=0), what] += 1

    async def flush(self) -> None:
        counted, self._counted = self._counted, Counter()
        await self._minutes.bulk(
            [
                Change(
                    f"{provider}/{minute.isoformat()}",
                    {
                        "$inc": {what: number},
                        "$setOnInsert": {"kind": "minute", "provider": provider, "minute": minute},
                    },
                    upsert=True,
                )
                for (provider, minute, what), number in counted.items()
            ]
        )

    async def measured(self, since: datetime, minute: datetime, at: datetime) -> dict[str, Measured]:
        sums: dict[str, Counter[str]] = {}
        async for found in self._minutes.find({"kind": "minute", "minute": {"$gt": since}}):
            sums.setdefault(found["provider"], Counter()).update(
                sent=found.get("sent", 0),
                slow=_slow(found, ripe=found["minute"] + self._ripens <= at),
                errors=found.get("errors", 0) if found["minute"] >= minute - timedelta(seconds=minute.second) else 0,
            )
        return {provider: Measured(each["sent"], each["slow"], each["errors"]) for provider, each in sums.items()}

    async def shares(self, channel: str) -> Shares | None:
        found = await self._shares.get(channel)
        return None if found is None else _shares(found)

    async def move(self, channel: str, logged: Logged) -> bool:
        known = await self._shares.get(channel)
        after = _written(logged.step.after)
        step = {
            "_id": f"{channel}/{logged.at.isoformat()}",
            "channel": channel,
            "at": logged.at,
            "before": _written(logged.before),
            "measured": [[name, asdict(each)] for name, each in logged.measured.items()],
            "rest": [list(pair) for pair in logged.rest.items()],
            "rules": _rules_written(logged.rules),
            "after": after,
            "reason": logged.step.reason,
            "provider": logged.step.provider,
        }
        # The log first: a share that moved without a reason would be worse than a reason without a move.
        if (await self._steps.bulk([Insert(step)])).refused:
            return False
        try:
            if known is None:
                await self._shares.insert({"_id": channel, **after})
            else:
                await self._shares.update(channel, {"$set": after}, version=known["version"])
        except Conflict:
            await self._steps.delete(step["_id"])
            return False
        return True

    async def steps(self, channel: str, limit: int) -> list[Logged]:
        found = self._steps.find({"channel": channel}, sort=[("at", DESCENDING)], limit=limit)
        return [_logged(each) async for each in found]


def _slow(found: Mapping[str, Any], *, ripe: bool) -> int:
    """So many of the messages of a minute were slow: to be taken, or once that can be told, to arrive."""
    slow: int = found.get("slow", 0)
    return max(slow, found.get("sent", 0) - found.get("receipted", 0)) if ripe else slow


def _written(shares: Shares) -> dict[str, Any]:
    return {"of": [list(pair) for pair in shares.of.items()], "moved_at": shares.moved_at}


def _shares(found: Mapping[str, Any]) -> Shares:
    return Shares(dict(found["of"]), found["moved_at"])


def _logged(found: Mapping[str, Any]) -> Logged:
    return Logged(
        at=found["at"],
        before=_shares(found["before"]),
        measured={name: known(Measured, each) for name, each in found["measured"]},
        rest=dict(found["rest"]),
        rules=_rules(found.get("rules")),
        step=Step(_shares(found["after"]), found["reason"], found["provider"]),
    )


def _rules_written(rules: Steering) -> dict[str, Any]:
    return {name: each.total_seconds() if isinstance(each, timedelta) else each for name, each in asdict(rules).items()}


def _rules(found: Mapping[str, Any] | None) -> Steering:
    """Those that the step was taken by; earlier releases wrote none, and had but the usual ones."""
    usual = asdict(Steering())
    rules: dict[str, Any] = {
        name: timedelta(seconds=each) if isinstance(usual.get(name), timedelta) else each
        for name, each in (found or {}).items()
    }
    return known(Steering, rules)
