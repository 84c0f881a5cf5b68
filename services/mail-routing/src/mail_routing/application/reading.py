"""The content of a mail in hand, which several ask for."""

import errors

from mail_routing.application.ports import Contents
from mail_routing.domain.message import Message


class Reading:
    """Call it for the content: it is fetched when it is first asked for, and once."""

    def __init__(self, contents: Contents, message: Message) -> None:
        self._contents = contents
        self._message = message
        self._content: bytes | None = None

    async def __call__(self) -> bytes:
        """`Invalid` (CONTENT_MISSING) when it is not there: then no repeat helps."""
        if self._content is None:
            self._content = await self._contents.read(self._message)
        return self._content


async def what_is_left(contents: Contents, message: Message) -> bytes:
    """The content for a report about a mail that goes nowhere any more; nothing, where it is not there."""
    try:
        return await contents.read(message)
    except errors.Invalid:
        return b""
