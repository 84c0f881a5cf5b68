"""PDF, by PDFium."""

from typing import Final

import pypdfium2

from document.adapters.extraction.failing import Failed, Gathered
from document.domain.extraction import Outcome

_MOST_PAGES: Final = 5_000
_PASSWORD: Final = "password"  # noqa: S105 - a word of PDFium's error


def read_pdf(content: bytes, gathered: Gathered) -> None:
    """Raises:
    Failed: ENCRYPTED, BROKEN.
    """
    try:
        document = pypdfium2.PdfDocument(content)
        for number in range(min(len(document), _MOST_PAGES)):
            _read_page(document, number, gathered)
    except pypdfium2.PdfiumError as error:
        raise Failed(Outcome.ENCRYPTED if _PASSWORD in str(error).lower() else Outcome.BROKEN) from None


def _read_page(document: pypdfium2.PdfDocument, number: int, gathered: Gathered) -> None:
    """A page that cannot be read is left out."""
    try:
        page = document[number]
        text = page.get_textpage()
        read = text.get_text_bounded()
    except pypdfium2.PdfiumError:
        return
    gathered.add(read.replace("\ufffe", "").replace("\x02", ""))
    gathered.end()
    text.close()
    page.close()
