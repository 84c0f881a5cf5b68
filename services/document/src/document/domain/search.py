"""What somebody looks for: words and their folding, the query, and how what is found is ordered."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from hashlib import blake2b
from typing import Final

from errors import Invalid

from document.domain.node import Kind, Node
from document.domain.permissions import Label

WORD: Final = re.compile(r"[^\W_]+")
LONGEST_WORD: Final = 40
"""Letters; what is longer is no word, and nobody looks for it."""
SHORTEST_BEGINNING: Final = 2
LONGEST_BEGINNING: Final = 12
SHORTEST_IN_TEXT: Final = 3
LONGEST_IN_TEXT: Final = 8
"""Letters of the beginnings by which a word of a text is found; a longer one finds all that begins with its first."""
_MOST_WORDS: Final = 32
_PIECE: Final = 32 * 1024
_GAP: Final = re.compile(r"\s")
_MARKS: Final = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")
"""Combining diacritical marks."""
_TERM: Final = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')


class FileType(StrEnum):
    """Media types as people speak of them."""

    FOLDER = "folder"
    TEXT = "text"
    PDF = "pdf"
    DOCUMENT = "document"
    SPREADSHEET = "spreadsheet"
    PRESENTATION = "presentation"
    IMAGE = "image"
    OTHER = "other"


_BY_ENDING: Final = {
    **dict.fromkeys(("txt", "md", "csv", "tsv", "json", "xml", "html", "htm", "log", "rst"), FileType.TEXT),
    **dict.fromkeys(("doc", "docx", "docm", "odt", "ott", "rtf"), FileType.DOCUMENT),
    **dict.fromkeys(("xls", "xlsx", "xlsm", "ods"), FileType.SPREADSHEET),
    **dict.fromkeys(("ppt", "pptx", "pptm", "odp"), FileType.PRESENTATION),
    **dict.fromkeys(("png", "jpg", "jpeg", "gif", "tif", "tiff", "svg", "webp", "bmp"), FileType.IMAGE),
    "pdf": FileType.PDF,
}
_BY_WORD: Final = (
    ("pdf", FileType.PDF),
    ("spreadsheet", FileType.SPREADSHEET),
    ("ms-excel", FileType.SPREADSHEET),
    ("presentation", FileType.PRESENTATION),
    ("powerpoint", FileType.PRESENTATION),
    ("wordprocessing", FileType.DOCUMENT),
    ("msword", FileType.DOCUMENT),
    ("opendocument.text", FileType.DOCUMENT),
    ("rtf", FileType.DOCUMENT),
    ("image/", FileType.IMAGE),
    ("text/", FileType.TEXT),
)


def type_of(node: Node) -> FileType:
    """By the media type that the client said, or else by the ending of the name."""
    if node.kind is Kind.FOLDER:
        return FileType.FOLDER
    said = node.versions[-1].media_type if node.versions else ""
    for word, found in _BY_WORD:
        if word in said:
            return found
    return _BY_ENDING.get(node.name.rpartition(".")[2].lower(), FileType.OTHER)


class Part(IntEnum):
    """Where the words stand: what is found in the first part comes before what is found in the second."""

    NAME = 0
    ANYWHERE = 1


@dataclass(frozen=True, slots=True)
class Query:
    """What must match: words, phrases, beginnings of words; and words that must not."""

    words: tuple[str, ...] = ()
    phrases: tuple[tuple[str, ...], ...] = ()
    beginnings: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    @property
    def sought(self) -> tuple[str, ...]:
        """All words that may stand in a text."""
        return (*self.words, *(word for phrase in self.phrases for word in phrase), *self.beginnings)


@dataclass(frozen=True, slots=True)
class Filters:
    """What else must hold. Empty, or None: anything. `folder` are words in names of folders above."""

    space_id: str = ""
    folder_id: str = ""
    folder: tuple[str, ...] = ()
    types: frozenset[FileType] = frozenset()
    labels: frozenset[Label] = frozenset()
    author_id: str = ""
    modified_from: datetime | None = None
    modified_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a hit stands in the list: the same on every process, whatever else is indexed. See `order_of`."""

    part: int
    order: int
    node_id: str

    @property
    def sort_key(self) -> tuple[int, int, str]:
        """By part, in it the newest first."""
        return self.part, -self.order, self.node_id


def fold(word: str) -> str:
    """What words share that differ in case and accents alone."""
    return _MARKS.sub("", unicodedata.normalize("NFKD", word.casefold()))


def words(text: str) -> list[str]:
    """The words of a text in order, folded."""
    return [word for word in WORD.findall(fold(text)) if len(word) <= LONGEST_WORD]


def pieces(text: str) -> Iterator[str]:
    """A long text in pieces that end between words, so that what is made of it at once is small."""
    begin = 0
    while begin < len(text):
        end = begin + _PIECE
        gap = _GAP.search(text, end)
        end = gap.start() if gap else len(text)
        yield text[begin:end]
        begin = end


def beginnings(word: str) -> list[str]:
    """The beginnings by which a word of a name is found."""
    return [word[:length] for length in range(SHORTEST_BEGINNING, min(len(word), LONGEST_BEGINNING) + 1)]


def beginnings_in_text(word: str) -> list[str]:
    """Those by which a word of a text is found: fewer, since a text has many words."""
    return [word[:length] for length in range(SHORTEST_IN_TEXT, min(len(word), LONGEST_IN_TEXT) + 1)]


def parse(text: str) -> Query:
    """A query as people type it.

    Raises:
        Invalid: QUERY, it has more words than anybody needs, or says only what is not wanted.
    """
    plain, phrases, starts, without = list[str](), list[tuple[str, ...]](), list[str](), list[str]()
    for minus, phrase, word in _TERM.findall(text):
        found = words(phrase or word)
        if minus:
            without += found
        elif phrase and len(found) > 1:
            phrases.append(tuple(found))
        elif word.endswith("*") and found:
            plain += found[:-1]
            starts.append(found[-1][:LONGEST_BEGINNING])
        else:
            plain += found
    query = Query(tuple(dict.fromkeys(plain)), tuple(phrases), tuple(starts), tuple(without))
    if len(query.sought) + len(without) > _MOST_WORDS:
        raise Invalid(f"a query has at most {_MOST_WORDS} words", reason="QUERY")
    if any(len(start) < SHORTEST_BEGINNING for start in starts):
        raise Invalid(f"a beginning has at least {SHORTEST_BEGINNING} letters", reason="QUERY")
    if text.strip() and not query.sought:
        raise Invalid("the query names no word to look for", reason="QUERY")
    return query


def modified_at(node: Node) -> datetime:
    """When the current content of a file came, or a folder was made."""
    return node.versions[-1].created_at if node.versions else node.created_at


def order_of(node: Node) -> int:
    """Sorts by time, and what is of one time in an order that says nothing: 44 bits of milliseconds, 20 of a hash."""
    spread = int.from_bytes(blake2b(node.node_id.encode(), digest_size=3).digest()) >> 4
    return round(modified_at(node).timestamp() * 1000) << 20 | spread


def names_hold(names: Sequence[str], sought: Sequence[str]) -> bool:
    """Whether each of these words is the beginning of a word in one of the names."""
    found = [word for name in names for word in words(name)]
    return all(any(word.startswith(each) for word in found) for each in sought)
