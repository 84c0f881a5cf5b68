"""The outbox relay: what the store has recorded is published, then cleared."""

import asyncio
from collections.abc import Sequence

import telemetry
from errors import Transient
from store import Collection, Database, Lease

from messaging.identity import new_id
from messaging.producer import Producer

log = telemetry.logger(__name__)


class Relay:
    """Publishes the facts in the outboxes of some collections, as long as it holds the lease."""

    def __init__(
        self,
        database: Database,
        collections: Sequence[Collection],
        producer: Producer,
        *,
        lease: str,
        poll: float = 1.0,
        limit: int = 500,
    ) -> None:
        self._collections = collections
        self._producer = producer
        self._lease = Lease(database, lease, new_id())
        self._poll = poll
        self._limit = limit
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        for collection in collections:
            collection.on_facts(self.wake)

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._lease.release()

    def wake(self) -> None:
        """Something was written; it need not wait for the next poll."""
        self._wake.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                more = await self._lease.acquire() and await self._drain()
            except Transient as error:
                log.warning("relay waits", reason=error.reason)
                more = False
            if not more:
                try:
                    await asyncio.wait_for(self._wake.wait(), self._poll)
                except TimeoutError:
                    continue

    async def _drain(self) -> bool:
        more = False
        for collection in self._collections:
            pending = await collection.pending(self._limit)
            facts = [fact for _, of_document in pending for fact in of_document]
            if not facts:
                continue
            await self._producer.publish(facts)
            telemetry.points.reached("messaging.relay.published")
            await collection.published_all([(of, [fact.id for fact in facts]) for of, facts in pending])
            more = more or len(pending) == self._limit
        return more
