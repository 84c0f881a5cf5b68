"""Remove content from the blob store when its mail has ended."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from mail_routing.application.ports import ContentUsers, OldContents


class CollectContents:
    """Content goes when every recipient of its mail has come to an end, and never while one waits or is kept back.

    Where nothing stands recorded of the mail, its record may still be on its way, or lie among the dead letters: then
    content stays for `unrecorded_after`, which has to be longer than any record may last. Both are counted from when
    it was put. Any number of processes may do this at once, and die in it: the next one goes on.
    """

    def __init__(
        self, contents: OldContents, users: ContentUsers, *, after: timedelta, unrecorded_after: timedelta
    ) -> None:
        self._contents = contents
        self._users = users
        self._after = after
        self._unrecorded_after = unrecorded_after

    async def __call__(self, now: datetime) -> int:
        """How many contents were removed."""
        ended = await self._contents.collect(self._needed, now - self._after)
        return ended + await self._contents.collect(self._users.waiting_for, now - self._unrecorded_after)

    async def _needed(self, refs: Sequence[str]) -> Collection[str]:
        return await self._users.unrecorded(refs) | await self._users.waiting_for(refs)
