"""ExtractText: takes the text out of a content, once for all files and processes, and keeps it sealed as content."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import telemetry
from telemetry import points

from document.application.ports import Content
from document.application.search_ports import Extractor, Texts
from document.domain.extraction import Extracted, Outcome, Taken
from document.domain.node import Node

_CHUNK: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class ExtractText:
    """The use case; `max_size` is in bytes, `claim` longer than it takes: who has claimed it has died by then."""

    texts: Texts
    content: Content
    extractor: Extractor
    max_size: int
    claim: timedelta
    now: Callable[[], datetime]

    async def __call__(self, node: Node) -> bool:
        """Whether it is known what became of the file's current content; False: another process has it in hand.

        Raises:
            NotFound: SHREDDED, NO_SUCH_CONTENT.
        """
        version, now = node.versions[-1], self.now()
        if not await self.texts.claim(version.blob, node.entity_id, now, now + self.claim):
            return version.blob in await self.texts.find([version.blob])
        taken = Taken(Outcome.TOO_LARGE)
        if version.size <= self.max_size:
            chunks = self.content.get(version.blob)
            taken = await self.extractor.extract(version.media_type, chunks)
        points.reached("document.extract.taken")
        text_ref = ""
        if taken.text:
            text_ref = (await self.content.put(node.entity_id, _chunks(taken.text.encode()))).ref
        points.reached("document.extract.text_kept")
        await self.texts.keep(version.blob, Extracted(taken.outcome, text_ref))
        points.reached("document.extract.kept")
        telemetry.names.DOCUMENT_EXTRACTED.bind(outcome=taken.outcome.value).inc()
        return True


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    for begin in range(0, len(content), _CHUNK):
        yield content[begin : begin + _CHUNK]
