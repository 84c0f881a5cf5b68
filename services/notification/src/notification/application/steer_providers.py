"""Use case: the shares of providers follow what they do, and every step is written down with what it rested on."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from notification.application.pool import Pool
from notification.domain.failover import Measured, Shares, Steering, Step, resting, steer

WINDOW = timedelta(minutes=15)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Logged:
    """One step with all that it rested on: the same function makes the same of it again."""

    at: datetime
    before: Shares
    measured: dict[str, Measured]
    rest: dict[str, int]
    rules: Steering
    step: Step

    def replays(self) -> bool:
        return steer(self.before, self.measured, self.rest, self.rules, self.at) == self.step


class ProviderLog(Protocol):
    """What providers did, minute by minute, and the steps that followed."""

    async def flush(self) -> None:
        """Writes what this process has counted since the last time."""
        ...

    async def measured(self, since: datetime, minute: datetime, at: datetime) -> dict[str, Measured]:
        """Messages since the one time, and errors since the other, as they are to be judged at the third."""
        ...

    async def shares(self, channel: str) -> Shares | None: ...

    async def move(self, channel: str, logged: Logged) -> bool:
        """Writes shares and step; False when another process was first."""
        ...

    async def steps(self, channel: str, limit: int) -> list[Logged]:
        """The last ones, newest first."""
        ...


@dataclass(frozen=True, slots=True)
class SteerProviders:
    channel: str
    pool: Pool
    log: ProviderLog
    rules: Steering

    async def __call__(self, at: datetime) -> None:
        """Counts, takes a step if one is due, and lets the pool know the shares."""
        await self.log.flush()
        names = self.pool.names
        rest = resting(names)
        before = await self.log.shares(self.channel)
        if before is None or set(before.of) != set(names):
            before = Shares(rest)
        measured = await self.log.measured(at - WINDOW, at - _MINUTE, at)
        relevant = {name: measured[name] for name in names if name in measured}
        step = steer(before, relevant, rest, self.rules, at)
        if step.reason:
            await self.log.move(self.channel, Logged(at, before, relevant, rest, self.rules, step))
            before = await self.log.shares(self.channel) or step.after
        self.pool.shares = before.of
