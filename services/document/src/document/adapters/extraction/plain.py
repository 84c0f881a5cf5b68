"""Text files, HTML among them: decoded as what they are."""

import codecs
from html.parser import HTMLParser
from typing import Final

from document.adapters.extraction.failing import Failed, Gathered
from document.domain.extraction import Outcome

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEEN: Final = 4096
_ENDS: Final = frozenset({"p", "div", "li", "td", "th", "tr", "title", "h1", "h2", "h3", "h4", "h5", "h6"})


def read_plain(content: bytes, media_type: str, gathered: Gathered) -> None:
    """Raises:
    Failed: NO_TEXT, it is no text.
    """
    text = _decoded(content)
    if media_type.startswith("text/html") or text[:_SEEN].lstrip().lower().startswith(("<!doctype html", "<html")):
        _Html(gathered).feed(text)
    else:
        gathered.add(text)


def _decoded(content: bytes) -> str:
    """By its byte order mark, as UTF-8, or else as Windows wrote Portuguese."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.decode(encoding, errors="replace").lstrip("\ufeff")
    if b"\0" in content[:_SEEN]:
        raise Failed(Outcome.NO_TEXT)
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


class _Html(HTMLParser):
    """The text between tags, but for scripts and styles."""

    def __init__(self, gathered: Gathered) -> None:
        super().__init__()
        self._gathered = gathered
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - the signature is HTMLParser's
        self._hidden += tag in {"script", "style"}

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"script", "style"} and self._hidden > 0
        if tag in _ENDS:
            self._gathered.end()

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._gathered.add(data)
