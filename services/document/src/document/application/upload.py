"""Upload: content first, then the node that lists it, so that what is listed can be read."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass

from errors import Invalid
from telemetry import points

from document.application import effects
from document.application.access import Opened, open_node
from document.application.ports import Content, Nodes
from document.domain.content import Announced, Stored
from document.domain.deeds import Deed, Verb
from document.domain.node import Act, Node, check_etag, new_file, with_version
from document.domain.permissions import Role
from document.domain.uploading import NewFile, NewVersion, Target


@dataclass(frozen=True, slots=True)
class Upload:
    """The use case; `max_size` is in bytes."""

    nodes: Nodes
    content: Content
    max_size: int

    async def __call__(self, act: Act, target: Target, announced: Announced, chunks: AsyncIterable[bytes]) -> Node:
        """The file as it is listed after it.

        What would be refused in the end is refused before the content is taken. A break-off or a
        refusal leaves no file; its content, if it was whole, is collected later.
        """
        done = await effects.done_before(self.nodes, act, _node_id(act, target))
        if done and announced.sha256:
            return _holding(done, announced.sha256)
        planned = done or await self.planned(act, target, announced)
        kept = await self.content.put(planned.entity_id, _at_most(announced.size, chunks))
        points.reached("document.upload.content_kept")
        announced.check(kept.size, kept.sha256)
        stored = Stored(kept.size, kept.sha256, announced.media_type, kept.ref)
        node = done or await self.listed(act, target, stored)
        points.reached("document.upload.listed")
        return _holding(node, kept.sha256)

    async def planned(self, act: Act, target: Target, announced: Announced) -> Node:
        """The file as it would be listed, refused if that cannot be."""
        if announced.size > self.max_size:
            raise Invalid(f"a file has at most {self.max_size} bytes", reason="FILE_SIZE")
        stored = Stored(announced.size, announced.sha256, announced.media_type, blob="")
        if isinstance(target, NewVersion):
            opened = await open_node(self.nodes, act.subject, target.node_id, Role.EDITOR)
            file = _next_version(opened, act, target, stored)
        else:
            file = await self._new_file(act, target, stored)
        await asyncio.gather(self._check_name(file, target), self.nodes.check_room(file, announced.size))
        return file

    async def _check_name(self, file: Node, target: Target) -> None:
        if isinstance(target, NewFile) and await self.nodes.named(*file.place):
            raise effects.name_taken()

    async def _new_file(self, act: Act, target: NewFile, stored: Stored) -> Node:
        parent = await open_node(self.nodes, act.subject, target.parent_id, Role.EDITOR)
        return new_file(act, parent.node, len(parent.path), target.name, stored)

    async def listed(self, act: Act, target: Target, stored: Stored) -> Node:
        """Lists the content, which is durable; rights and names may have changed while it came."""
        deed = Deed(Verb.STORE, act)
        if isinstance(target, NewFile):
            return await effects.add(self.nodes, await self._new_file(act, target, stored), deed)

        def storing(opened: Opened) -> tuple[Node, Deed]:
            return _next_version(opened, act, target, stored), deed

        return await effects.change(self.nodes, act, target.node_id, Role.EDITOR, storing)


def _node_id(act: Act, target: Target) -> str:
    return act.act_id if isinstance(target, NewFile) else target.node_id


def _next_version(opened: Opened, act: Act, target: NewVersion, stored: Stored) -> Node:
    check_etag(opened.node, target.etag)
    return with_version(opened.node, act, stored)


def _holding(node: Node, sha256: str) -> Node:
    """The node that an act made, which holds the content of the act unless the id was used for two."""
    if all(version.sha256 != sha256 for version in node.versions):
        raise Invalid("this request_id was used for other content", reason="REQUEST_ID_REUSED")
    return node


async def _at_most(size: int, chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The chunks, broken off by `Invalid` at the first byte too many."""
    left = size
    async for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise Invalid(f"more than the announced {size} bytes came", reason="SIZE_MISMATCH")
        yield chunk
