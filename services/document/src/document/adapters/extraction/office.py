"""Office Open XML (ECMA-376) and OpenDocument (ISO 26300): XML in a ZIP, unpacked within limits."""

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Final
from xml.parsers import expat

from document.adapters.extraction.failing import Failed, Gathered
from document.domain.extraction import Outcome

_MOST_UNPACKED: Final = 256 << 20
_MOST_PARTS: Final = 10_000
_MOST_DEEP: Final = 256
_PIECE: Final = 64 << 10
_OLE_ENCRYPTED: Final = "EncryptedPackage".encode("utf-16-le")

_PARTS: Final = (
    r"docProps/core\.xml",
    r"word/(document|header\d*|footer\d*|footnotes|endnotes|comments)\.xml",
    r"xl/(sharedStrings|workbook|worksheets/sheet\d+|comments\d*)\.xml",
    r"ppt/(slides/slide\d+|notesSlides/notesSlide\d+)\.xml",
    r"(content|meta|styles)\.xml",
)
"""The parts of both kinds of package that hold what people wrote."""
_PART: Final = re.compile("|".join(f"(?:{part})" for part in _PARTS))
_TEXT_OF: Final = frozenset({"t", "v", "title", "subject", "description", "keywords", "keyword", "delText"})
"""Elements of Office that hold text: of a run, a cell, what is said of the document."""
_ENDS: Final = frozenset({"p", "h", "si", "c", "tr", "br", "tab", "line-break", "row", "table-cell", "title"})
Attributes = Mapping[str, str]
_META: Final = frozenset({"title", "subject", "description", "keyword"})


def is_ole(content: bytes) -> bool:
    """A compound file: of Office before 2007, or a package with a password."""
    return content.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")


def ole_outcome(content: bytes) -> Outcome:
    return Outcome.ENCRYPTED if _OLE_ENCRYPTED in content else Outcome.NO_TEXT


def read_package(content: bytes, gathered: Gathered) -> None:
    """Raises:
    Failed: NO_TEXT (another ZIP), ENCRYPTED, BROKEN, BOMB.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as package:
            _read(package, gathered)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, LookupError, expat.ExpatError):
        raise Failed(Outcome.BROKEN) from None


def _read(package: zipfile.ZipFile, gathered: Gathered) -> None:
    parts = package.infolist()
    names = {part.filename for part in parts}
    if len(parts) > _MOST_PARTS:
        raise Failed(Outcome.BOMB)
    if any(part.flag_bits & 1 for part in parts):
        raise Failed(Outcome.ENCRYPTED)
    is_office, is_open = "[Content_Types].xml" in names, "content.xml" in names and "mimetype" in names
    if not is_office and not is_open:
        raise Failed(Outcome.NO_TEXT)
    left = _Budget(_MOST_UNPACKED)
    if is_open and "META-INF/manifest.xml" in names:
        _check_clear(_pieces(package, "META-INF/manifest.xml", left))
    for name in sorted(filter(_PART.fullmatch, names), key=_in_reading_order):
        reader = _OfficeText(gathered) if is_office else _OpenText(name, gathered)
        _parse(_pieces(package, name, left), reader.start, reader.end, reader.text)


class _Budget:
    def __init__(self, left: int) -> None:
        self._left = left

    def spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise Failed(Outcome.BOMB)


def _in_reading_order(name: str) -> tuple[str, int]:
    digits = re.sub(r"\D", "", name)
    return re.sub(r"\d", "", name), int(digits or 0)


def _pieces(package: zipfile.ZipFile, name: str, left: _Budget) -> Iterator[bytes]:
    """What comes out counts, whatever the directory says."""
    with package.open(name) as part:
        while piece := part.read(_PIECE):
            left.spend(len(piece))
            yield piece


def _check_clear(manifest: Iterator[bytes]) -> None:
    def start(name: str, _: Attributes) -> None:
        if name == "encryption-data":
            raise Failed(Outcome.ENCRYPTED)

    _parse(manifest, start, lambda _: None, lambda _: None)


def _parse(
    pieces: Iterator[bytes],
    start: Callable[[str, Attributes], None],
    end: Callable[[str], None],
    text: Callable[[str], None],
) -> None:
    """Local names of elements; declared entities, of which none stands in a package that is well, end it."""
    deep = 0

    def entered(name: str, attributes: Attributes) -> None:
        nonlocal deep
        deep += 1
        if deep > _MOST_DEEP:
            raise Failed(Outcome.BOMB)
        start(name.rpartition(" ")[2], attributes)

    def left(name: str) -> None:
        nonlocal deep
        deep -= 1
        end(name.rpartition(" ")[2])

    def declared(*_: object) -> None:
        raise Failed(Outcome.BOMB)

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = entered, left
    parser.CharacterDataHandler, parser.EntityDeclHandler = text, declared
    parser.buffer_text = True
    for piece in pieces:
        parser.Parse(piece, False)
    parser.Parse(b"", True)


class _OfficeText:
    """Text stands in elements of its own. The value of a cell that says `t="s"` is a place in the shared strings."""

    def __init__(self, gathered: Gathered) -> None:
        self._gathered = gathered
        self._inside = 0
        self._refers = False

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "c":
            self._refers = attributes.get("t") == "s"
        self._inside += name in _TEXT_OF

    def end(self, name: str) -> None:
        self._inside -= name in _TEXT_OF
        if name == "c":
            self._refers = False
        if name in _ENDS:
            self._gathered.end()

    def text(self, piece: str) -> None:
        if self._inside and not self._refers:
            self._gathered.add(piece)


class _OpenText:
    """All character data of the body; of what is said of the document only what people wrote."""

    def __init__(self, part: str, gathered: Gathered) -> None:
        self._gathered = gathered
        self._all = part != "meta.xml"
        self._inside = 0

    def start(self, name: str, _: Attributes) -> None:
        self._inside += self._all or name in _META
        if name == "s":
            self._gathered.add(" ")

    def end(self, name: str) -> None:
        self._inside -= self._all or name in _META
        if name in _ENDS:
            self._gathered.end()

    def text(self, piece: str) -> None:
        if self._inside:
            self._gathered.add(piece)
