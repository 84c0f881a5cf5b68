"""The suppression list in MongoDB: digests of addresses that are not written to."""

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Collection as Several
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from rpc import Caller
from store import Collection, Grouped, Index

from notification.adapters import wire
from notification.domain.vocabulary import Channel, Topic

INDEXES: Final = (Index(["target"]),)
_ALL: Final = ""


class StoredSuppressions:
    """A document for each target and topic; `key` makes the digests."""

    def __init__(self, suppressions: Collection, key: bytes) -> None:
        self._suppressions = suppressions
        self._look = Grouped(self._look_together)
        self._key = hmac.digest(key, b"rossio.notification.target", hashlib.sha256)

    def target(self, channel: Channel, address: str) -> str:
        if not address:
            return ""
        said = f"{channel}:{address.strip().lower()}".encode()
        return hmac.digest(self._key, said, hashlib.sha256)[:16].hex()

    async def among(self, targets: Several[str], topic: Topic) -> set[str]:
        known = [target for target in targets if target]
        if not known:
            return set()
        suppressed = await self._look(known)
        return {target for target in known if suppressed.get(target, set()) & {_ALL, topic.value}}

    async def _look_together(self, asks: Sequence[Sequence[str]]) -> list[Mapping[str, set[str]]]:
        """The topics about which each of the targets takes nothing; one answer for all who ask."""
        targets = list({target for ask in asks for target in ask})
        suppressed: defaultdict[str, set[str]] = defaultdict(set)
        async for found in self._suppressions.find({"target": {"$in": targets}}):
            suppressed[found["target"]].add(found["topic"])
        return [suppressed] * len(asks)

    async def add(self, target: str, topic: Topic | None, cause: str, at: datetime) -> None:
        about = topic.value if topic else _ALL
        kept = {"target": target, "topic": about, "cause": cause, "at": at}
        await self._suppressions.update(f"{target}/{about}", {"$set": {**kept, "lifted": False}}, upsert=True)

    async def lift(self, target: str, by: Caller, at: datetime) -> bool:
        lifted = False
        async for found in self._suppressions.find({"target": target}):
            audited = wire.audited(
                "notification.suppression.lift", by, resource=target, at=at, details={"cause": found["cause"]}
            )
            # The fact needs a document that is still there; what is lifted is taken out of the list by its target.
            change = {"$set": {"target": f"lifted/{target}", "lifted": True}}
            await self._suppressions.update(found["_id"], change, facts=[audited])
            lifted = True
        return lifted
