"""The text of a post in one language, and which of several a reader gets."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from errors import Invalid

from news.domain.markup import to_html

_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_TITLE_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Variant:
    """The text in one language: `body` is CommonMark, `html` the clean HTML made from it."""

    locale: str
    title: str
    body: str
    html: str

    @classmethod
    def of(cls, locale: str, title: str, body: str) -> Self:
        """Checks the text and renders it.

        Raises:
            Invalid: no language tag (BCP 47), a title that is blank or too long, or a blank body.
        """
        title = " ".join(title.split())
        if not _LOCALE.fullmatch(locale):
            raise Invalid("the locale is not a language tag", reason="LOCALE_MALFORMED", locale=locale)
        if not 0 < len(title) <= _TITLE_CHARACTERS:
            raise Invalid(f"a title has 1 to {_TITLE_CHARACTERS} characters", reason="TITLE_LENGTH", locale=locale)
        if not body.strip():
            raise Invalid("the body is blank", reason="BODY_BLANK", locale=locale)
        return cls(locale=locale, title=title, body=body, html=to_html(body))


def choose(variants: Sequence[Variant], locale: str) -> Variant:
    """The variant in `locale`, else in its language, else the first (RFC 4647, lookup)."""
    wanted = locale.lower()
    for variant in variants:
        if variant.locale.lower() == wanted:
            return variant
    language = wanted.partition("-")[0]
    return next((each for each in variants if each.locale.lower().partition("-")[0] == language), variants[0])
