"""GetExtraction: whether a file is found by its text, and if not, why."""

from errors import Invalid

from document.application.access import open_node
from document.application.ports import Nodes
from document.application.search_ports import Texts
from document.domain.extraction import Extracted
from document.domain.node import Kind
from document.domain.permissions import Subject


async def get_extraction(nodes: Nodes, texts: Texts, subject: Subject, node_id: str) -> Extracted | None:
    """What became of the current version; None when it was not tried yet."""
    node = (await open_node(nodes, subject, node_id)).node
    if node.kind is not Kind.FILE:
        raise Invalid("a folder has no text", reason="NOT_A_FILE")
    blob = node.versions[-1].blob
    return (await texts.find([blob])).get(blob)
