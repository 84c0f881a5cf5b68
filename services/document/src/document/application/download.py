"""Download: a version of a file, or a range of it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from errors import Invalid

from document.application.access import open_node
from document.application.ports import Content, Nodes
from document.domain.node import Node, version_of
from document.domain.permissions import Subject


@dataclass(frozen=True, slots=True)
class Opening:
    """A file that shows the version asked for as its current one, and the content in chunks."""

    node: Node
    chunks: AsyncIterator[bytes]


async def download(
    nodes: Nodes, content: Content, subject: Subject, node_id: str, *, number: int, offset: int, length: int
) -> Opening:
    """Opens a version (0: the current one) from `offset` on for `length` bytes (0: to the end)."""
    opened = await open_node(nodes, subject, node_id)
    return opening(content, opened.node, number=number, offset=offset, length=length)


def opening(content: Content, node: Node, *, number: int, offset: int, length: int) -> Opening:
    """A version of a file that the caller may read.

    Raises:
        Invalid: RANGE, the content ends before the offset; or it is no file.
    """
    version = version_of(node, number)
    if offset > version.size:
        raise Invalid(f"the content ends at {version.size}", reason="RANGE")
    chunks = content.get(version.blob, offset, length or None)
    return Opening(replace(node, versions=(version,)), chunks)
