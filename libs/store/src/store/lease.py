"""A lock with an end: one holder at a time, however processes die."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from errors import Conflict, NotFound

from store.database import Database
from store.operations import Document

COLLECTION: Final = "leases"
_LONG_AGO: Final = datetime.fromtimestamp(0, UTC)
_NEVER: Final = float("-inf")


class Lease:
    """The right of one owner to do one kind of work, for a while.

    The store's clock alone decides when a lease ends, so the clocks of processes may differ. The
    holder counts from before it asked, on its monotonic clock, and so stops believing before
    another can come in. `fence` goes up with every new holder: what a late one still writes can be
    refused by comparing it. An owner names one process; prolong the lease at a third of `duration`.
    """

    def __init__(
        self,
        database: Database,
        name: str,
        owner: str,
        *,
        duration: timedelta = timedelta(seconds=10),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._leases = database.collection(COLLECTION)
        self._name = name
        self._owner = owner
        self._duration = duration
        self._monotonic = monotonic
        self._until = _NEVER
        self.fence = 0

    @property
    def held(self) -> bool:
        """Whether it is still ours, without asking."""
        return self._monotonic() < self._until

    async def acquire(self) -> bool:
        """Takes the lease if it is free or ended, prolongs it if it is ours; whether it is held now."""
        asked = self._monotonic()
        now = await self._database.now()
        lease = await self._leases.get(self._name)
        taken = await self._take(lease, now)
        self._until = asked + self._duration.total_seconds() if taken else _NEVER
        return self.held

    async def release(self) -> None:
        """Lets the next one in at once."""
        self._until = _NEVER
        with suppress(Conflict, NotFound):
            await self._leases.update(
                self._name, {"$set": {"owner": None, "ends": _LONG_AGO}}, where={"owner": self._owner}
            )

    async def _take(self, lease: Document | None, now: datetime) -> bool:
        """Takes the lease as it was read, unless another was faster."""
        ours = lease is not None and lease["owner"] == self._owner
        if lease is not None and not ours and lease["ends"] > now:
            return False
        fence = 1 if lease is None else lease["fence"] + (not ours)
        taken = {"owner": self._owner, "ends": now + self._duration, "fence": fence}
        try:
            if lease is None:
                await self._leases.insert({"_id": self._name, **taken})
            else:
                await self._leases.update(self._name, {"$set": taken}, version=lease["version"])
        except Conflict:
            return False
        self.fence = fence
        return True
