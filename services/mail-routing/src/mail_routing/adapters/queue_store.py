"""The queue as administrators see it: the shards that wait, found by the keys that each of them carries."""

from collections.abc import Sequence

import messaging
from store import Change, Collection, OutboxRecord

from mail_routing.adapters import documents
from mail_routing.adapters.store import facts_of
from mail_routing.application.ports import Act, Position
from mail_routing.domain import queue
from mail_routing.domain.delivery import Progress, Shard
from mail_routing.domain.queue import Filter


class StoredQueue:
    """`Queue` on the collection of the deliveries."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def page(
        self, scope: str, wanted: Filter, after: Position | None, limit: int
    ) -> tuple[list[Shard], Position | None]:
        query: documents.Document = {"queued": {"$all": list(queue.wanted_keys(scope, wanted))}}
        if wanted.message_class:
            query["message.class"] = wanted.message_class.value
        page = await self._collection.page(query, "queued_at", after, limit, projection=documents.WITHOUT_CONTENT)
        return [documents.shard(found) for found in page.documents], page.after

    async def entries(self, ids: Sequence[str]) -> list[Shard]:
        query = {"_id": {"$in": list(ids)}}
        return [
            documents.shard(found) async for found in self._collection.find(query, projection=documents.WITHOUT_CONTENT)
        ]

    async def act(self, act: Act, changes: Sequence[Progress]) -> int:
        done = await self._collection.bulk(
            [
                Change(
                    progress.shard.id,
                    documents.progress_change(progress.shard),
                    {"version": progress.shard.version},
                    facts=[*facts_of(progress), _audited(act, progress.shard)],
                )
                for progress in changes
            ]
        )
        return done.changed


def _audited(act: Act, shard: Shard) -> OutboxRecord:
    return messaging.audited(
        f"mail.queue.{act.action.value}",
        at=act.at,
        entity_id=queue.owner(shard) or act.entity_id,
        actor=act.actor,
        actor_entity_id=act.entity_id,
        resource=shard.id,
        details={"reason": act.reason},
    )
