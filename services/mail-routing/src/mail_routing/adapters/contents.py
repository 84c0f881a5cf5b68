"""Mail content: in the message, or in the blob store when it is large or has to wait.

There it stands behind a line with the id of its mail, so that equal mails do not share it and it may go with its own.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

import errors
from blobs import Blobs, Referenced

from mail_routing.domain.message import BlobContent, Message

_PIECE = 256 * 1024
_AT_ONCE = 8  # large mails in memory


class BlobContents:
    """`Contents` on a blob store; a mail lies in the scope of its sender's entity."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def kept_outside(self, message: Message) -> Message:
        if isinstance(message.content, BlobContent):
            return message
        stored = await self._blobs.put(_scope(message), _pieces(_first_line(message), message.content))
        return replace(message, content=BlobContent(stored.ref))

    async def read(self, message: Message) -> bytes:
        """`Invalid` (CONTENT_MISSING) when it is not there: then no repeat helps."""
        if not isinstance(message.content, BlobContent):
            return message.content
        try:
            async with self._room:
                pieces = [piece async for piece in self._blobs.get(message.content.ref)]
        except errors.NotFound:
            raise errors.Invalid("the content of the mail is not in the blob store", reason="CONTENT_MISSING") from None
        pieces[:1] = [pieces[0].removeprefix(_first_line(message))] if pieces else []
        content = b"".join(pieces)
        if len(content) != message.size:
            raise errors.Invalid("the content of the mail has another size", reason="CONTENT_DIFFERS")
        return content

    async def collect(self, needed: Referenced, before: datetime) -> int:
        return await self._blobs.collect(needed, before)


def _scope(message: Message) -> str:
    return message.entity_id or "outside"


def _first_line(message: Message) -> bytes:
    return f"{message.message_id}\n".encode()


async def _pieces(first_line: bytes, content: bytes) -> AsyncIterator[bytes]:
    yield first_line
    for at in range(0, len(content), _PIECE):
        yield content[at : at + _PIECE]
