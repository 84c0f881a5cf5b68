"""What became of contents out of which text was taken, in MongoDB: one document a content, which holds no text."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from errors import Conflict
from store import Collection, Index

from document.domain.extraction import FORMAT, Extracted, Outcome

INDEXES: Final = (Index(["text"], sparse=True), Index(["entity_id"]))
_CLAIMED: Final = "claimed"


class TextStore:
    """The port `Texts`."""

    def __init__(self, texts: Collection) -> None:
        self._texts = texts

    async def find(self, refs: Sequence[str]) -> Mapping[str, Extracted]:
        found = dict[str, Extracted]()
        if refs:
            async for document in self._texts.find({"_id": {"$in": list(set(refs))}}):
                if document["outcome"] != _CLAIMED and document["format"] == FORMAT:
                    found[document["_id"]] = Extracted(Outcome(document["outcome"]), document.get("text", ""))
        return found

    async def claim(self, ref: str, entity_id: str, now: datetime, until: datetime) -> bool:
        claim = {"entity_id": entity_id, "outcome": _CLAIMED, "format": FORMAT, "until": until}
        try:
            await self._texts.insert({"_id": ref, **claim})
        except Conflict:
            document = await self._texts.get(ref)
            if document is None or (document["format"] == FORMAT and document["outcome"] != _CLAIMED):
                return False
            if document["outcome"] == _CLAIMED and document["until"] > now:
                return False
            try:
                await self._texts.update(ref, {"$set": claim}, version=document["version"])
            except Conflict:
                return False
        return True

    async def keep(self, ref: str, extracted: Extracted) -> None:
        said = {"outcome": extracted.outcome.value, "format": FORMAT}
        if extracted.text_ref:
            await self._texts.update(ref, {"$set": {**said, "text": extracted.text_ref}})
        else:
            await self._texts.update(ref, {"$set": said, "$unset": {"text": ""}})

    async def sources(self, text_refs: Sequence[str]) -> Mapping[str, set[str]]:
        found = dict[str, set[str]]()
        async for document in self._texts.find({"text": {"$in": list(text_refs)}}):
            found.setdefault(document["text"], set()).add(document["_id"])
        return found

    async def forget(self, refs: Sequence[str]) -> None:
        for ref in refs:
            await self._texts.delete(ref)

    async def forget_entity(self, entity_id: str) -> None:
        found = [document["_id"] async for document in self._texts.find({"entity_id": entity_id})]
        await self.forget(found)
