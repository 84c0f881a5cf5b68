"""Uploads that outlive broken connections and processes: begin, append, look, give up.

Content is taken into a draft, which any process can go on with. When it is whole, what it is is
written down first, then it is kept, then listed; whoever finds an upload between two of these does
the rest. So a listed file is whole, and what was whole is listed in the end or expires.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from errors import Conflict, Invalid, NotFound
from telemetry import points

from document.application.access import open_node
from document.application.ports import Content, Incoming, Uploads
from document.application.upload import Upload
from document.domain.content import Announced, Stored
from document.domain.node import Act, Node
from document.domain.uploading import Checksum, Target, Uploading

_PATIENCE_SECONDS = 5.0
_BETWEEN_TRIES_SECONDS = 0.05
_ALGORITHMS = {"sha1": hashlib.sha1, "sha256": hashlib.sha256, "md5": hashlib.md5}
CHECKSUMS = tuple(_ALGORITHMS)
"""What a part may be hashed with; to find what the way has changed, and for nothing else."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an upload stands; with the file when it is listed."""

    uploading: Uploading
    offset: int
    node: Node | None = None


@dataclass(frozen=True, slots=True)
class ResumableUpload:
    """The use cases; an upload is given up `lifetime` after it was begun."""

    uploads: Uploads
    content: Content
    upload: Upload
    lifetime: timedelta

    async def begin(self, act: Act, target: Target, announced: Announced, metadata: str = "") -> Progress:
        """A new upload, whose id is that of the act; what would be refused in the end is refused now."""
        if await self.uploads.find(act.act_id):
            return await self.look(act, act.act_id)
        planned = await self.upload.planned(act, target, announced)
        draft = await self.content.begin(planned.entity_id)
        points.reached("document.upload.begun")
        uploading = Uploading(
            act.act_id,
            str(act.subject.grantee),
            planned.entity_id,
            target,
            announced,
            draft,
            act.at + self.lifetime,
            metadata=metadata,
        )
        added = await self.uploads.add(uploading)
        if not added:
            await self.content.discard(draft)
        points.reached("document.upload.noted")
        return Progress(uploading, 0) if added and announced.size else await self.look(act, act.act_id)

    async def at_once(self, act: Act, target: Target, announced: Announced, chunks: AsyncIterable[bytes]) -> Progress:
        """An upload whose whole content comes with its beginning.

        Nothing of it is noted: who never heard where it was begun could not go on with it.
        """
        node = await self.upload(act, target, announced, chunks)
        owner = str(act.subject.grantee)
        ended = Uploading(act.act_id, owner, node.entity_id, target, announced, "", act.at, node_id=node.node_id)
        return Progress(ended, announced.size, node)

    async def append(
        self, act: Act, upload_id: str, offset: int, chunks: AsyncIterable[bytes], checksum: Checksum | None = None
    ) -> Progress:
        """Takes content from the offset on, and lists the file with the last of it.

        Raises:
            NotFound: there is no such upload of the caller, or it has expired.
            Conflict: OFFSET, it stands elsewhere; DRAFT_BUSY, another call is at it.
            Invalid: SIZE_MISMATCH; CHECKSUM_MISMATCH, and nothing of this call was taken; HASH_MISMATCH,
                the whole is not what was announced, and is given up.
        """
        uploading = await self._found(act, upload_id)
        if await self._is_kept(uploading):
            uploading.check_offset(offset, uploading.announced.size)
            return await self._listed(act, uploading)
        digest = _digest(checksum)
        async with self._resumed(uploading) as incoming:
            uploading.check_offset(offset, incoming.size)
            async for chunk in chunks:
                uploading.check_size(incoming.size + len(chunk))
                await incoming.write(chunk)
                if digest is not None:
                    digest.update(chunk)
            points.reached("document.upload.taken")
            if checksum is not None and digest is not None and digest.digest() != checksum.digest:
                await incoming.rewind()
                raise Invalid("the part has another checksum than was said", reason="CHECKSUM_MISMATCH")
            if incoming.size < uploading.announced.size:
                return Progress(uploading, incoming.size)
            uploading = await self._kept(act, uploading, incoming)
        return await self._listed(act, uploading)

    async def look(self, act: Act, upload_id: str) -> Progress:
        """Where it stands; one that is whole is finished now."""
        try:
            return await self._look(act, upload_id)
        except NotFound as gone:
            if gone.reason != "NO_SUCH_DRAFT":
                raise
        return await self._look(act, upload_id)  # another call has kept the draft in between

    async def give_up(self, act: Act, upload_id: str) -> None:
        uploading = await self._found(act, upload_id)
        await self._drop(uploading)

    async def expire(self, now: datetime, limit: int = 100) -> int:
        """Gives up those that have expired; how many of them."""
        expired = await self.uploads.expired(now, limit)
        for uploading in expired:
            await self._drop(uploading)
        return len(expired)

    async def _look(self, act: Act, upload_id: str) -> Progress:
        uploading = await self._found(act, upload_id)
        if not await self._is_kept(uploading):
            async with self._resumed(uploading) as incoming:
                if incoming.size < uploading.announced.size:
                    return Progress(uploading, incoming.size)
                uploading = await self._kept(act, uploading, incoming)
        return await self._listed(act, uploading)

    async def _found(self, act: Act, upload_id: str) -> Uploading:
        uploading = await self.uploads.find(upload_id)
        if uploading is None:
            raise NotFound("there is no such upload", reason="NO_SUCH_UPLOAD")
        uploading.check(act.subject, act.at)
        return uploading

    async def _is_kept(self, uploading: Uploading) -> bool:
        """Whether the whole content can be read, and will be there when it is listed."""
        return bool(uploading.node_id) or (
            uploading.stored is not None and await self.content.touch(uploading.stored.blob)
        )

    @asynccontextmanager
    async def _resumed(self, uploading: Uploading) -> AsyncIterator[Incoming]:
        """The draft; a call that was broken off is given a moment to let it go."""
        opened, tries = False, int(_PATIENCE_SECONDS / _BETWEEN_TRIES_SECONDS)
        while not opened:
            try:
                async with self.content.resume(uploading.draft) as incoming:
                    opened = True
                    yield incoming
            except Conflict as conflict:
                tries -= 1
                if opened or conflict.reason != "DRAFT_BUSY" or tries < 0:
                    raise
                await asyncio.sleep(_BETWEEN_TRIES_SECONDS)

    async def _kept(self, act: Act, uploading: Uploading, incoming: Incoming) -> Uploading:
        whole, announced = await incoming.whole(), uploading.announced
        try:
            announced.check(whole.size, whole.sha256)
        except Invalid:
            await self.uploads.change(replace(uploading, expires_at=act.at))
            raise
        kept = replace(uploading, stored=Stored(whole.size, whole.sha256, announced.media_type, whole.ref))
        await self.uploads.change(kept)
        points.reached("document.upload.known")
        await incoming.keep()
        points.reached("document.upload.content_kept")
        return kept

    async def _listed(self, act: Act, uploading: Uploading) -> Progress:
        """The file of an upload whose content is kept, listed if it is not."""
        stored = uploading.stored
        assert stored is not None, "the content is kept"
        if uploading.node_id:
            node = (await open_node(self.upload.nodes, act.subject, uploading.node_id)).node
            return Progress(uploading, stored.size, node)
        whole = replace(act, act_id=uploading.upload_id)
        node = await self.upload.listed(whole, uploading.target, stored)
        points.reached("document.upload.listed")
        done = replace(uploading, node_id=node.node_id)
        await self.uploads.change(done)
        return Progress(done, stored.size, node)

    async def _drop(self, uploading: Uploading) -> None:
        await self.content.discard(uploading.draft)
        await self.uploads.remove(uploading.upload_id)


def _digest(checksum: Checksum | None) -> Any:
    if checksum is None:
        return None
    if checksum.algorithm not in _ALGORITHMS:
        raise Invalid(f"a checksum is one of {', '.join(CHECKSUMS)}", reason="CHECKSUM_ALGORITHM")
    return _ALGORITHMS[checksum.algorithm](usedforsecurity=False)
