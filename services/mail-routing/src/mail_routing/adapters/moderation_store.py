"""What is held for moderators, in the collection of all deliveries."""

from collections.abc import Sequence

from store import Collection

from mail_routing.adapters import documents
from mail_routing.adapters.access import audited
from mail_routing.adapters.store import facts_of, page_of, write
from mail_routing.application.decide_moderated import Said
from mail_routing.application.ports import Deed
from mail_routing.domain.delivery import Progress, Shard
from mail_routing.domain.message import Message


class StoredModerated:
    """`Moderated`."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def page(self, keys: Sequence[str], after: str, limit: int) -> tuple[Sequence[Shard], str]:
        return await page_of(self._collection, {"moderated": {"$in": list(keys)}}, after, limit)

    async def of_mail(self, message_id: str) -> Sequence[Shard]:
        query = {"message_id": message_id, "treatment.held": True}
        shards = self._collection.find(query, sort=(("number", 1),), projection={"outbox": False})
        return [documents.shard(found) async for found in shards]

    async def decide(self, progress: Progress, ours: Sequence[Message], said: Said, entity_id: str, deed: Deed) -> None:
        shard, action = progress.shard, f"mail.moderation.{said.decision.value}"
        details = {"moderation": said.moderation_id, "reason": said.reason}
        audit = audited(action, entity_id, shard.message.message_id, deed, **details)
        await write(self._collection, progress, [*facts_of(progress, ours), audit])
