"""What providers did and how their shares moved, in MongoDB."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from errors import Conflict
from store import DESCENDING, Change, Collection, Index, Insert

from notification.application.steer_providers import Logged
from notification.domain.failover import Measured, Shares, Step

MINUTE_INDEXES: Final = (Index(["kind", "minute"]), Index(["minute"], expire_after=timedelta(hours=2)))
STEP_INDEXES: Final = (Index(["channel", "at"]), Index(["at"], expire_after=timedelta(days=365)))


class StoredProviderLog:
    """Counts in memory, and writes each second: what a process that dies has not written misses in no decision."""

    def __init__(self, minutes: Collection, shares: Collection, steps: Collection) -> None:
        self._minutes = minutes
        self._shares = shares
        self._steps = steps
        self._counted: Counter[tuple[str, datetime, str]] = Counter()

    def count(self, provider: str, what: str) -> None:
        minute = datetime.now(UTC).replace(second=0, microsecond=0)
        self._counted[provider, minute, what] += 1

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

    async def measured(self, since: datetime, minute: datetime) -> dict[str, Measured]:
        sums: dict[str, Counter[str]] = {}
        async for found in self._minutes.find({"kind": "minute", "minute": {"$gt": since}}):
            sums.setdefault(found["provider"], Counter()).update(
                sent=found.get("sent", 0),
                slow=found.get("slow", 0),
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


def _written(shares: Shares) -> dict[str, Any]:
    return {"of": [list(pair) for pair in shares.of.items()], "moved_at": shares.moved_at}


def _shares(found: Mapping[str, Any]) -> Shares:
    return Shares(dict(found["of"]), found["moved_at"])


def _logged(found: Mapping[str, Any]) -> Logged:
    return Logged(
        at=found["at"],
        before=_shares(found["before"]),
        measured={name: Measured(**each) for name, each in found["measured"]},
        rest=dict(found["rest"]),
        step=Step(_shares(found["after"]), found["reason"], found["provider"]),
    )
