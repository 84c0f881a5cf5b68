"""`python -m document.adapters.extraction.program`: a request and a content come in, an outcome and a text go out.

The first line of stdin is {"media_type", "memory", "cpu_seconds", "most"} as JSON; the content follows. The
first line of stdout is the outcome; the text follows in UTF-8.
"""

import codecs
import json
import os
import sys
from typing import Any, Final

from document.adapters.extraction import office, sandbox
from document.adapters.extraction.failing import Enough, Failed, Gathered
from document.adapters.extraction.office import read_package
from document.adapters.extraction.plain import read_plain
from document.domain.extraction import Outcome, Taken

_PDF_WITHIN: Final = 1024
_ENCODINGS: Final = ("ascii", "latin-1", "cp437", "cp1252", "utf-16", "utf-32")
_BINARY: Final = ("image/", "audio/", "video/", "font/")


def main() -> None:
    request = json.loads(sys.stdin.buffer.readline())
    head = sys.stdin.buffer.read(_PDF_WITHIN)
    if b"%PDF-" in head:
        import document.adapters.extraction.pdf  # noqa: F401, PLC0415 - nothing can be loaded once it is closed off
    for encoding in _ENCODINGS:
        codecs.lookup(encoding)
    sandbox.limit(request["memory"], request["cpu_seconds"])
    sandbox.close_off()
    try:
        taken = _taken(request, head + sys.stdin.buffer.read())
    except MemoryError:
        taken = Taken(Outcome.MEMORY)
    sys.stdout.buffer.write(f"{taken.outcome.value}\n".encode() + taken.text.encode(errors="replace"))
    sys.stdout.buffer.flush()
    os._exit(0)


def _taken(request: dict[str, Any], content: bytes) -> Taken:
    gathered = Gathered(request["most"])
    try:
        _read(content, request["media_type"], gathered)
    except Enough:
        return Taken(Outcome.TRUNCATED, gathered.text)
    except Failed as failed:
        return Taken(failed.outcome)
    except RecursionError:
        return Taken(Outcome.BROKEN)
    text = gathered.text
    return Taken(Outcome.TEXT, text) if text.strip() else Taken(Outcome.NO_TEXT)


def _read(content: bytes, media_type: str, gathered: Gathered) -> None:
    """By what the content is; the media type alone tells what is certainly no text."""
    if b"%PDF-" in content[:_PDF_WITHIN]:
        from document.adapters.extraction.pdf import read_pdf  # noqa: PLC0415 - loaded before

        read_pdf(content, gathered)
    elif content.startswith(b"PK"):
        read_package(content, gathered)
    elif office.is_ole(content):
        raise Failed(office.ole_outcome(content))
    elif media_type.startswith(_BINARY):
        raise Failed(Outcome.NO_TEXT)
    else:
        read_plain(content, media_type, gathered)


if __name__ == "__main__":
    main()
