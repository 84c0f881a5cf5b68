"""A plain text as a PDF (ISO 32000-1): lines of one standard font, which every reader has, and nothing that runs."""

import textwrap
from typing import Final

from errors import Invalid

_LINES: Final = 54
_CHARACTERS: Final = 84
_PAGE: Final = "[0 0 595 842]"  # A4, in points
# What the encoding of the standard fonts has no place for, and can be said with what it has.
_SAID: Final = str.maketrans({"≥": ">=", "≤": "<=", "→": "->", "\t": "    ", "\u2009": " ", "\u202f": " "})
_ESCAPED: Final = str.maketrans({"\\": r"\\", "(": r"\(", ")": r"\)"})


def pdf(title: str, text: str) -> bytes:
    """The text under its title.

    Raises:
        Invalid: a character has no place in it; it is not left out, since what is left out may have mattered.
    """
    lines = [title, ""]
    for line in text.translate(_SAID).splitlines():
        lines += textwrap.wrap(line, _CHARACTERS, drop_whitespace=False) or [""]
    pages = [lines[start : start + _LINES] for start in range(0, len(lines), _LINES)]
    kids = " ".join(f"{4 + 2 * index} 0 R" for index in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R /Lang (pt-PT) >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>",
    ]
    for index, page in enumerate(pages):
        content = _content(page)
        place = f"/MediaBox {_PAGE} /Resources << /Font << /F 3 0 R >> >> /Contents {5 + 2 * index} 0 R"
        objects.append(f"<< /Type /Page /Parent 2 0 R {place} >>".encode())
        objects.append(f"<< /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream")
    return _file(objects)


def must_fit(text: str) -> None:
    """Raises Invalid where `pdf` would."""
    _encoded(text.translate(_SAID).replace("\n", "").replace("\r", ""))


def _content(lines: list[str]) -> bytes:
    shown = b"".join(b"(" + _encoded(line.translate(_ESCAPED)) + b") Tj T*\n" for line in lines)
    return b"BT /F 10 Tf 14 TL 45 790 Td\n" + shown + b"ET"


def _encoded(text: str) -> bytes:
    try:
        return text.encode("cp1252")
    except UnicodeEncodeError as error:
        raise Invalid("a character has no place in the document", reason="GUIDE_CHARACTER") from error


def _file(objects: list[bytes]) -> bytes:
    made, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, 1):
        offsets.append(len(made))
        made += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    begin, count = len(made), len(objects) + 1
    made += f"xref\n0 {count}\n0000000000 65535 f \n".encode()
    made += b"".join(f"{offset:010} 00000 n \n".encode() for offset in offsets)
    made += f"trailer\n<< /Size {count} /Root 1 0 R >>\nstartxref\n{begin}\n%%EOF\n".encode()
    return bytes(made)
