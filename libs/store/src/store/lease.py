"""A lock with an end: one holder at a time, however processes die."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pymongo.errors import DuplicateKeyError

from store.database import Database
from store.failures import translated

COLLECTION: Final = "leases"
_LONG_AGO: Final = datetime.fromtimestamp(0, UTC)


class Lease:
    """The right of one owner to do one kind of work, for a while.

    The store's clock alone decides when a lease ends, so clocks of processes may differ. The holder
    counts from before it asked, on its monotonic clock, and so stops believing before another can
    come in. `fence` goes up with every new holder: what a late holder still writes can be refused
    by comparing it.
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
        self._leases = database.driver(COLLECTION)
        self._name = name
        self._owner = owner
        self._duration = duration
        self._monotonic = monotonic
        self._until = float("-inf")
        self.fence = 0

    @property
    def held(self) -> bool:
        return self._monotonic() < self._until

    @property
    def lost(self) -> bool:
        return not self.held

    async def acquire(self) -> bool:
        """Takes the lease if it is free or ended, prolongs it if it is ours; whether it is held now."""
        asked = self._monotonic()
        with translated():
            try:
                await self._leases.update_one({"_id": self._name}, self._claim(), upsert=True)
            except DuplicateKeyError:  # another process was first to make it
                return False
            lease = await self._leases.find_one({"_id": self._name, "owner": self._owner})
        if lease is None:
            self._until = float("-inf")
            return False
        self.fence = lease["fence"]
        self._until = asked + self._duration.total_seconds()
        return self.held

    async def renew(self) -> bool:
        """Prolongs the lease; False, and `lost`, when another owner has it now."""
        return await self.acquire()

    async def release(self) -> None:
        """Lets the next one in at once."""
        self._until = float("-inf")
        with translated():
            await self._leases.update_one(
                {"_id": self._name, "owner": self._owner}, {"$set": {"owner": None, "ends": _LONG_AGO}}
            )

    def _claim(self) -> list[dict[str, Any]]:
        """One update that looks at the lease and takes it, or leaves it as it is.

        It is a pipeline because only there the server's clock can be read (`$$NOW`); an `$expr` of a
        filter cannot do it on the embedded servers.
        """
        ours = {"$eq": ["$owner", self._owner]}
        ended = {"$lte": [{"$ifNull": ["$ends", _LONG_AGO]}, "$$NOW"]}
        fence = {"$ifNull": ["$fence", 0]}
        ends = {"$add": ["$$NOW", self._duration // timedelta(milliseconds=1)]}

        def if_taken(then: Any, otherwise: Any) -> dict[str, Any]:
            return {"$cond": [{"$or": [ours, ended]}, then, otherwise]}

        return [
            {
                "$set": {
                    "fence": {"$cond": [{"$and": [ended, {"$not": [ours]}]}, {"$add": [fence, 1]}, fence]},
                    "ends": if_taken(ends, "$ends"),
                    "owner": if_taken(self._owner, "$owner"),
                }
            }
        ]
