"""What was found, as messages of rossio.document.v1."""

from collections.abc import Iterable
from typing import Final

from errors import Invalid
from rossio.document.v1 import document_pb2 as pb

from document.adapters import wire
from document.application.search import Found
from document.domain.extraction import Extracted, Outcome
from document.domain.permissions import Label
from document.domain.search import FileType

_TYPES: Final = {pb.FileType.Value(f"FILE_TYPE_{each.name}"): each for each in FileType}
_OUTCOMES: Final = {each: pb.Extraction.Value(f"EXTRACTION_{each.name}") for each in Outcome}


def read_types(types: Iterable[pb.FileType.ValueType]) -> frozenset[FileType]:
    """Raises:
    Invalid: one of them is none of this version of the contract.
    """
    try:
        return frozenset(_TYPES[each] for each in types)
    except KeyError:
        raise Invalid("there is no such type of file", reason="FILE_TYPE") from None


def read_labels(labels: Iterable[pb.Label.ValueType]) -> frozenset[Label]:
    return frozenset(wire.read_label(label) or Label.PUBLIC for label in labels)


def to_result(found: Found) -> pb.SearchResult:
    return pb.SearchResult(
        node=wire.to_node(found.node),
        label=wire.to_label(found.label),
        folders=found.folders,
        snippet=[pb.SnippetPart(text=part.text, match=part.match) for part in found.snippet],
    )


def to_extraction(extracted: Extracted | None) -> pb.Extraction.ValueType:
    return _OUTCOMES[extracted.outcome] if extracted else pb.EXTRACTION_UNSPECIFIED
