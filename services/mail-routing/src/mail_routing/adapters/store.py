"""The store of shards: one document each, written in groups, with the facts that follow in its outbox."""

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime

import errors
import messaging
import telemetry
from store import Change, Collection, Delete, Grouped, Index, Insert, OutboxRecord

from mail_routing.adapters import documents, wire
from mail_routing.adapters.accepted_log import accepted_fact
from mail_routing.adapters.access import audited
from mail_routing.application.ports import Deed, Due
from mail_routing.domain import quarantine
from mail_routing.domain.delivery import ENDED, Delivery, Progress, Shard, shard_id
from mail_routing.domain.message import Message, MessageClass

INDEXES = (
    *(Index([field], sparse=True) for field in documents.DUE.values()),
    Index(["queued", "queued_at", "_id"]),
    Index(["parties", "-accepted_at"]),
    Index(["message_id", "number"]),
    # Of one field each: a sparse index of several holds all documents that have one of them.
    Index(["quarantined"], sparse=True),
    Index(["moderated"], sparse=True),
    Index(["blob"], sparse=True),
    Index(["ended_at"], sparse=True),
)

# Their replies may be long, and a record has room for a megabyte.
_OUTCOMES_A_FACT = 250
_EPOCH = datetime.fromtimestamp(0, UTC)


First = tuple[Insert, Sequence[OutboxRecord]]
"""A shard to insert, and what is published about it as soon as it is there."""


class StoredDeliveries:
    """`Deliveries` in one collection, which has INDEXES.

    What is recorded of a mail's first attempt is published right behind the write, and again when its record comes
    again (ADR 24); reports to senders, and all that is recorded later, go through the outbox.
    """

    def __init__(self, collection: Collection, producer: messaging.Producer) -> None:
        self.collection = collection
        self._producer = producer
        self._seen = Grouped(self._which_seen)
        self._insert = Grouped(self._insert_all, lanes=2)

    async def seen(self, message_id: str) -> bool:
        return await self._seen(shard_id(message_id, 0))

    async def begin(self, progress: Progress, ours: Sequence[Message] = ()) -> None:
        shard = progress.shard
        waits = [accepted_fact(each) for each in ours]
        if not await self._insert((Insert(documents.shard_document(shard), waits), _first_facts(shard))):
            await self.report(shard.message.message_id)

    async def plan(self, shard: Shard) -> None:
        await self._insert((Insert(documents.shard_document(shard)), ()))

    async def report(self, message_id: str) -> None:
        found = await self.collection.get(shard_id(message_id, 0), projection=documents.WITHOUT_CONTENT)
        if found is not None and (facts := _first_facts(documents.shard(found))):
            await self._producer.publish(facts)

    async def release(self, lane: MessageClass, ids: Sequence[str], now: datetime) -> None:
        # Version 1 and not due: nobody has had it in hand yet.
        field = documents.DUE[lane]
        untouched = {"version": 1, field: None}
        await self.collection.bulk([Change(one, {"$set": {field: now}}, untouched) for one in ids])

    async def due(self, lane: MessageClass, now: datetime, limit: int) -> list[Due]:
        query = {documents.DUE[lane]: {"$gt": _EPOCH, "$lte": now}}
        shown = {"_id": True, "sites": True, "accepted_at": True, "since": True, "urged": True}
        return [
            Due(
                found["_id"],
                tuple(found.get("sites", ())),
                found.get("since") or found["accepted_at"],
                urged=found.get("urged", False),
            )
            async for found in self.collection.find(query, limit=limit, projection=shown)
        ]

    async def postpone(self, lane: MessageClass, ids: Sequence[str], until: datetime, now: datetime) -> None:
        field = documents.DUE[lane]
        await self.collection.update_all(ids, {"$set": {field: until}}, where={field: {"$lte": now}})

    async def claim(self, lane: MessageClass, shard_id: str, now: datetime, until: datetime) -> Shard | None:
        field = documents.DUE[lane]
        taken = {"$set": {field: until, "claimed": True}}
        try:
            await self.collection.update(shard_id, taken, where={field: {"$lte": now}})
        except (errors.Conflict, errors.NotFound):
            return None
        found = await self.collection.get(shard_id)
        # Whoever reads after a claim of their own that ran out meanwhile sees another's `due`.
        return documents.shard(found) if found and found.get(field) == until else None

    async def record(self, progress: Progress, ours: Sequence[Message] = ()) -> None:
        await write(self.collection, progress, facts_of(progress, ours))

    async def trace(
        self, *, message_id: str = "", all_of: Sequence[str] = (), any_of: Sequence[str] = (), limit: int
    ) -> AsyncIterator[Shard]:
        parties = {"$all": list(all_of), "$in": list(any_of)}
        query: documents.Document = {"parties": {operator: names for operator, names in parties.items() if names}}
        if message_id:
            query = {"message_id": message_id}
        sort = (("number", 1),) if message_id else (("accepted_at", -1),)
        shown = documents.WITHOUT_CONTENT
        async for found in self.collection.find(query, sort=sort, limit=limit, projection=shown):
            yield documents.shard(found)

    async def _which_seen(self, ids: Sequence[str]) -> Sequence[bool]:
        query = {"_id": {"$in": list(ids)}}
        seen = {found["_id"] async for found in self.collection.find(query, projection={"_id": True})}
        return [one in seen for one in ids]

    async def _insert_all(self, firsts: Sequence[First]) -> Sequence[bool]:
        """Which of them are new. One that is there already was recorded by another attempt: ours does not count."""
        done = await self.collection.bulk([insert for insert, _ in firsts])
        telemetry.points.reached("mail.store.inserted")
        refused = set(done.refused)
        new = [at not in refused for at in range(len(firsts))]
        facts = [fact for (_, about), is_new in zip(firsts, new, strict=True) if is_new for fact in about]
        if facts:
            await self._producer.publish(facts)
        return new


async def write(collection: Collection, progress: Progress, facts: Sequence[OutboxRecord]) -> None:
    """Makes a stored shard the one of the progress, in one write with the facts; `Conflict` when it has changed."""
    shard = progress.shard
    await collection.update(shard.id, documents.progress_change(shard), version=shard.version, facts=facts)


async def page_of(
    collection: Collection, query: documents.Document, after: str, limit: int
) -> tuple[Sequence[Shard], str]:
    """Shards behind the id `after`, and where it goes on; "" at either end."""
    position = (after, after) if after else None
    page = await collection.page(query, "_id", position, limit, projection=documents.WITHOUT_CONTENT)
    return [documents.shard(found) for found in page.documents], str(page.after[1]) if page.after else ""


def facts_of(progress: Progress, ours: Sequence[Message] = ()) -> list[OutboxRecord]:
    """What is published about a shard after a later attempt, mails of ours among it."""
    return [*_reported(progress.shard.message, progress.changed, messaging.new_id()), *map(accepted_fact, ours)]


def _first_facts(shard: Shard) -> list[OutboxRecord]:
    """What is published about a shard that was recorded; while it is as at first, always under the same ids."""
    tried = [delivery for delivery in shard.deliveries if delivery.at is not None]
    again = f".{shard.version}" if shard.version > 1 else ""
    return list(_reported(shard.message, tried, f"reported.{shard.id}{again}"))


def _reported(message: Message, changed: Sequence[Delivery], name: str) -> Iterator[OutboxRecord]:
    at = max((d.at for d in changed if d.at), default=message.accepted_at)
    for start in range(0, len(changed), _OUTCOMES_A_FACT):
        part = changed[start : start + _OUTCOMES_A_FACT]
        fact_id = f"{name}.{start}" if start else name
        yield messaging.fact(wire.reported(message, part), id=fact_id, at=at)


class StoredContentUsers:
    """`ContentUsers` on the collection of all deliveries.

    Shards that nobody has released, of an expansion that neither the mail's first shard nor a decision of moderators
    (`onward`) names, wait for ever and need nothing.
    """

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def waiting_for(self, refs: Sequence[str]) -> set[str]:
        waits = {"$elemMatch": {"state": {"$nin": sorted(state.value for state in ENDED)}}}
        query = {"blob": {"$in": list(refs)}, "deliveries": waits}
        shown = {"blob": True, "number": True, "plan": True, "version": True}
        waiting = [found async for found in self._collection.find(query, projection=shown)]
        plans = await self._plans(refs)  # afterwards: what names an expansion is written behind it
        return {
            found["blob"]
            for found in waiting
            if not found["number"] or found["version"] > 1 or found["plan"]["id"] in plans
        }

    async def unrecorded(self, refs: Sequence[str]) -> set[str]:
        query = {"blob": {"$in": list(refs)}, "number": 0}
        return set(refs) - {found["blob"] async for found in self._collection.find(query, projection={"blob": True})}

    async def _plans(self, refs: Sequence[str]) -> set[str]:
        """The expansions that count, by their ids."""
        of_these = {"blob": {"$in": list(refs)}}
        firsts = self._collection.find({**of_these, "number": 0}, projection={"plan": True})
        plans = {found["plan"]["id"] async for found in firsts if "plan" in found}
        decided = self._collection.find({**of_these, "onward": {"$exists": True}}, projection={"onward": True})
        return plans | {
            one.split("/")[-2] async for found in decided for each in found["onward"] for one in each["ids"]
        }


class StoredEnded:
    """`Ended` on the collection of all deliveries."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def forget(self, before: datetime, limit: int) -> int:
        old = {"ended_at": {"$gt": _EPOCH, "$lt": before}}
        found = self._collection.find(old, limit=limit, projection={"outbox": True})
        told = [one["_id"] async for one in found if not one.get("outbox")]  # facts that wait would go with it
        return (await self._collection.bulk([Delete(one, old) for one in told])).deleted


class StoredQuarantine:
    """`Quarantine`: the shards of which something is kept back, in the collection of all deliveries."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def get(self, quarantine_id: str) -> Shard | None:
        found = await self._collection.get(quarantine_id)
        return documents.shard(found) if found else None

    async def page(self, entity_id: str, after: str, limit: int) -> tuple[Sequence[Shard], str]:
        return await page_of(self._collection, {"quarantined": entity_id}, after, limit)

    async def decide(self, progress: Progress, verb: str, deed: Deed) -> None:
        shard = progress.shard
        audit = audited(f"mail.quarantine.{verb}", quarantine.owner(shard), shard.message.message_id, deed)
        await write(self._collection, progress, [*facts_of(progress), audit])
