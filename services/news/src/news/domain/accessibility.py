"""What keeps people from reading a text, found before it is published.

The rules are those of WCAG 2.2 that a text alone can break: 1.1.1 (alternative texts), 1.3.1 and 2.4.6
(headings), 1.4.3 (contrast of colours that the text sets itself), 2.4.4 (link texts); and reading ease.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Final

from errors import Invalid

from news.domain.colours import contrast
from news.domain.reading_ease import HARD, reading_ease
from news.domain.text import Variant

_BLACK, _WHITE = "#000000", "#ffffff"
_LEAST_CONTRAST: Final = 4.5
_HEADING: Final = re.compile(r"h[1-6]")
_SAYS_NOTHING: Final = frozenset({"aqui", "clique aqui", "ler mais", "saber mais", "here", "click here", "read more"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One obstacle; a post with an error is not published."""

    locale: str
    rule: str
    message: str
    error: bool = True


def findings(variants: Sequence[Variant]) -> list[Finding]:
    """Everything found in the texts, in their order."""
    found: list[Finding] = []
    for variant in variants:
        look = _Look(variant.locale)
        look.feed(variant.html)
        look.close()
        found += look.found
        ease = reading_ease(look.text, variant.locale)
        if ease is not None and ease < HARD:
            message = f"reading ease is {ease:.0f}: shorter sentences and words help (below {HARD} is hard)"
            found.append(Finding(variant.locale, "READING_EASE", message, error=False))
    return found


def must_pass(variants: Sequence[Variant]) -> None:
    """Raises Invalid (NOT_ACCESSIBLE) with the errors by rule."""
    errors = [each for each in findings(variants) if each.error]
    if errors:
        raise Invalid(
            f"some people could not read it: {errors[0].message}",
            reason="NOT_ACCESSIBLE",
            **{each.rule: f"{each.locale}: {each.message}" for each in reversed(errors)},
        )


class _Look(HTMLParser):
    """Reads the clean HTML of one text."""

    def __init__(self, locale: str) -> None:
        super().__init__()
        self.found: list[Finding] = []
        self.text = ""
        self._locale = locale
        self._level = 0
        self._colours = [(_BLACK, _WHITE)]
        self._inside: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "img":
            if not attributes.get("alt", "").strip():
                self._find("ALT_TEXT", "an image says nothing to who cannot see it: give it an alternative text")
            return
        if _HEADING.fullmatch(tag):
            self._heading(int(tag[1]))
        if tag == "span":
            self._colour(attributes.get("style", ""))
        if tag in {"a", "span"} or _HEADING.fullmatch(tag):
            self._inside.append((tag, len(self.text)))
        elif tag in {"p", "li", "pre", "blockquote", "br"}:
            self.text += "\n"

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1][0] == tag:
            said = self.text[self._inside.pop()[1] :].strip()
            if tag == "span":
                self._colours.pop()
            elif tag != "a" and not said:
                self._find("HEADING_ORDER", "a heading is empty")
            elif tag == "a" and said.lower().rstrip(" .!") in _SAYS_NOTHING:
                self._find("LINK_TEXT", f'the link "{said}" does not say where it leads', error=False)
        if tag in {"p", "li", "pre", "blockquote"} or _HEADING.fullmatch(tag):
            # A line without a full stop is a sentence all the same.
            self.text += "\n"

    def handle_data(self, data: str) -> None:
        self.text += data

    def _heading(self, level: int) -> None:
        # The title stands above the text, so that it may begin with either of the first two levels.
        if level > max(self._level, 1) + 1:
            self._find("HEADING_ORDER", f"a heading of level {level} follows level {self._level or 1}: none in between")
        self._level = level

    def _colour(self, style: str) -> None:
        text, ground = self._colours[-1]
        for name, value in _declarations(style):
            text, ground = (value, ground) if name == "color" else (text, value)
        self._colours.append((text, ground))
        ratio = contrast(text, ground)
        if ratio is None:
            self._find("CONTRAST", f"{text} on {ground}: write colours as #rrggbb or by one of the 16 basic names")
        elif ratio < _LEAST_CONTRAST:
            self._find("CONTRAST", f"{text} on {ground} has a contrast of {ratio:.1f}; {_LEAST_CONTRAST} is the least")

    def _find(self, rule: str, message: str, *, error: bool = True) -> None:
        self.found.append(Finding(self._locale, rule, message, error))


def _declarations(style: str) -> Iterable[tuple[str, str]]:
    for declaration in style.split(";"):
        name, _, value = declaration.partition(":")
        if value:
            yield name.strip().lower(), value.strip().lower()
