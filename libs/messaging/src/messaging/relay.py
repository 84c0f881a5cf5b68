"""The outbox relay: what the store has recorded is published, then cleared."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import telemetry
from errors import Invalid, Transient
from store import Collection, Database, Lease, OutboxRecord
from telemetry import names
from telemetry.background import keep

from messaging.identity import new_id
from messaging.producer import Producer

log = telemetry.logger(__name__)

Pending = list[tuple[Any, list[OutboxRecord]]]

_RENEW = 3.0
"""Seconds after which the lease is prolonged; it lasts for 10."""


class Relay:
    """Publishes the facts in the outboxes of some collections while it holds the lease.

    It is woken by the writes of its own process, to look at the collection that was written, and looks at all each
    second for what others wrote. Facts of one document are published in their order. One that is published and not
    yet cleared when the process dies is published again, with the same id.
    """

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
        """`lease` names the work: of all relays with one name, one works. `limit` counts documents at a time."""
        self._collections = collections
        self._producer = producer
        self._lease = Lease(database, lease, new_id())
        self._renew_at = 0.0
        self._poll = poll
        self._limit = limit
        self._woken = asyncio.Event()
        self._due: set[str] = set()
        self._look_at = 0.0
        self._stopping = False
        self._task: asyncio.Task[None] | None = None
        self._oldest: dict[str, float] = {}
        for collection in collections:
            collection.on_facts(partial(self._wake, collection.name))
            names.OUTBOX_OLDEST.bind(collection=collection.name).set_function(partial(self._waits, collection.name))

    @property
    def leads(self) -> bool:
        """Whether this relay holds the lease now."""
        return self._lease.held

    async def start(self) -> None:
        self._stopping = False
        self._task = keep("relay", self._run())

    async def stop(self) -> None:
        """Publishes what is there, when it may, and lets the next relay in.

        The pass in hand is not cut off: what is published and not cleared would be published twice.
        """
        task, self._task = self._task, None
        if task is None:
            return
        self._stopping = True
        self._woken.set()
        await task  # cancelled with this call when that is
        if self._lease.held:
            try:
                await self._lease.release()
            except Transient as error:
                log.warning("lease not released: the next relay waits for its end", reason=error.reason)

    def _wake(self, collection: str) -> None:
        """Something was recorded, and need not wait for the next look at all."""
        self._due.add(collection)
        self._woken.set()

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            last, now = self._stopping, time.monotonic()
            if last or now >= self._look_at:
                self._look_at = now + self._poll
                self._due.update(collection.name for collection in self._collections)
            try:
                if await self._lead():
                    await self._relay_due()
                else:
                    self._due.clear()
            except Transient as error:
                log.warning("relay waits", reason=error.reason)
                if last:
                    return
                self._look_at = 0.0
                await asyncio.sleep(min(1.0, self._poll))
            if not self._due:
                if last:
                    return
                await self._look_later()

    def _waits(self, collection: str) -> float:
        """Seconds for which the oldest fact of the collection waits; 0 when none does, or another relay looks."""
        oldest = self._oldest.get(collection) if self._lease.held else None
        return 0.0 if oldest is None else max(0.0, time.time() - oldest)

    async def _look_later(self) -> None:
        timer = asyncio.get_running_loop().call_later(self._look_at - time.monotonic(), self._woken.set)
        await self._woken.wait()
        timer.cancel()

    async def _lead(self) -> bool:
        """Takes or prolongs the lease where that is due, however often it is woken; whether it is held."""
        now = time.monotonic()
        if now < self._renew_at:
            return self._lease.held
        held = await self._lease.acquire()
        self._renew_at = now + (_RENEW if held else min(self._poll, _RENEW))
        for collection in self._collections:
            names.RELAY_LEADER.bind(collection=collection.name).set(held)
        return held

    async def _relay_due(self) -> None:
        """What may have more stays due."""
        for collection in self._collections:
            if collection.name not in self._due:
                continue
            self._due.discard(collection.name)
            pending = await collection.pending(self._limit)
            if pending and self._lease.held:
                self._oldest[collection.name] = min(facts[0].at for _, facts in pending).timestamp()
                await self._relay(collection, pending)
                if len(pending) == self._limit:
                    self._due.add(collection.name)
            self._oldest.pop(collection.name, None)

    async def _relay(self, collection: Collection, pending: Pending) -> None:
        try:
            await self._producer.publish([fact for _, facts in pending for fact in facts])
        except Invalid:
            pending = await self._publish_one_by_one(pending)
        telemetry.points.reached("messaging.relay.published")
        await collection.published_all([(document, [fact.id for fact in facts]) for document, facts in pending])
        now = datetime.now(UTC)
        age = names.RELAY_LAG.bind(collection=collection.name)
        for _, facts in pending:
            age.observe(max(0.0, (now - facts[0].at).total_seconds()))
        names.RELAYED.bind(collection=collection.name).inc(sum(len(facts) for _, facts in pending))

    async def _publish_one_by_one(self, pending: Pending) -> Pending:
        """What could be published; a document whose fact Kafka refuses keeps it, and holds up no other."""
        published: Pending = []
        for document, facts in pending:
            try:
                await self._producer.publish(facts)
            except Invalid as error:
                log.exception("a fact cannot be published", exc=error, topic=facts[0].topic)
            else:
                published.append((document, facts))
        return published
