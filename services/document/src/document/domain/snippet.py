"""The place in a text that shows why it was found."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from document.domain.search import WORD, fold

_LENGTH: Final = 240
_BEFORE: Final = 60
_STEM: Final = 3
_LOOKED_AT: Final = 200
_PLAIN: Final = {ord(char): fold(char) for char in map(chr, range(0xC0, 0x250)) if len(fold(char)) == 1}


@dataclass(frozen=True, slots=True)
class SnippetPart:
    """A piece of text; `match`: one of the words looked for."""

    text: str
    match: bool


def snippet(text: str, sought: Sequence[str], matches: Callable[[str], bool]) -> tuple[SnippetPart, ...]:
    """Some words before and after the first match, or the beginning of the text without one; empty without text.

    `sought` are folded words; only what begins like one of them is asked `matches`, so that long texts are quick.
    """
    spans = _spans(text, sought, matches)
    begin = max(spans[0][0] - _BEFORE, 0) if spans else 0
    if begin:
        begin = text.find(" ", begin, spans[0][0]) + 1 or begin
    end = begin + _LENGTH
    parts, at = [SnippetPart("… ", match=False)] if begin else [], begin
    for start, stop in spans:
        if stop > end:
            break
        parts += [SnippetPart(text[at:start], match=False), SnippetPart(text[start:stop], match=True)]
        at = stop
    parts.append(SnippetPart(text[at:end], match=False))
    if end < len(text):
        parts.append(SnippetPart(" …", match=False))
    return tuple(SnippetPart(re.sub(r"\s+", " ", part.text), part.match) for part in parts if part.text)


def _spans(text: str, sought: Sequence[str], matches: Callable[[str], bool]) -> list[tuple[int, int]]:
    """Where matches stand, those near the first one."""
    if not sought:
        return []
    starts = "|".join(sorted({re.escape(word[:_STEM]) for word in sought}))
    plain = text.translate(_PLAIN)
    spans = list[tuple[int, int]]()
    for looked_at, found in enumerate(re.finditer(rf"(?<![^\W_])(?:{starts})", plain, re.IGNORECASE)):
        word = WORD.match(text, found.start())
        if word and matches(fold(word[0])):
            spans.append(word.span())
        if looked_at == _LOOKED_AT or (spans and found.start() > spans[0][0] + _LENGTH):
            break
    return spans
