"""Templates: words with typed places, in several languages; a version never changes, and is approved by another.

The substitution is all there is: a place `((name))` becomes its value, once. Values are never read for places,
never become markup, and only an address becomes a link; so nothing that comes from outside can do anything.
"""

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from errors import Invalid

from notification.domain.texts import best_locale
from notification.domain.vocabulary import Topic

_PLACE: Final = re.compile(r"\(\(([a-z][a-z0-9_]{0,39})\)\)")
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?")
_LINK: Final = re.compile(r"https://[^\s<>\"']+[^\s<>\"'.,;:!?)]")
_LONGEST: Final = 1000
_LONGEST_TITLE: Final = 2000
_LONGEST_MAIL: Final = 200_000
_MONTHS: Final = {
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "en": "January February March April May June July August September October November December",
}


class Kind(StrEnum):
    """What a variable holds."""

    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    URL = "url"


class State(StrEnum):
    DRAFT = "draft"
    APPROVED = "approved"


@dataclass(frozen=True, slots=True)
class Text:
    """A template in one language; a channel whose text is empty is not offered."""

    title: str
    mail: str = ""
    sms: str = ""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What is said; nothing of it shows in a traceback or a log."""

    title: str = field(repr=False)
    mail: str = field(repr=False)
    html: str = field(repr=False)
    sms: str = field(repr=False)

    def must_fit(self) -> None:
        """Raises Invalid where the values have made it longer than anybody reads; SMS have rules of their own."""
        if len(self.title) > _LONGEST_TITLE:
            raise Invalid("the title has become too long", reason="TITLE_TOO_LONG")
        if len(self.mail) > _LONGEST_MAIL:
            raise Invalid("the mail has become too long", reason="MAIL_TOO_LONG")


@dataclass(frozen=True, slots=True)
class Template:
    """One version; the entity is empty for those that the whole ministry shares."""

    entity_id: str
    name: str
    version: int
    topic: Topic
    variables: Mapping[str, Kind]
    texts: Mapping[str, Text]
    author: str
    created_at: datetime
    state: State = State.DRAFT

    def must_be_sound(self) -> None:
        """Raises Invalid, by the reason, where it could never be sent."""
        if self.topic not in {Topic.SERVICE, Topic.ALERT}:
            raise Invalid("templates are for the topics service and alert", reason="TOPIC_NOT_FOR_TEMPLATES")
        if not any(locale.lower().partition("-")[0] == "pt" for locale in self.texts):
            raise Invalid("the template has no Portuguese text", reason="TEMPLATE_WITHOUT_PORTUGUESE")
        for name in self.variables:
            if not _NAME.fullmatch(name):
                raise Invalid("a variable is called as a-z, 0-9 and _", reason="VARIABLE_NAME_MALFORMED")
        for text in self.texts.values():
            for words in (text.title, text.mail, text.sms):
                self._must_have_places(words)
        if len({(bool(text.mail), bool(text.sms)) for text in self.texts.values()}) > 1:
            raise Invalid("the languages have texts for different channels", reason="TEMPLATE_UNEVEN")

    def _must_have_places(self, words: str) -> None:
        if unknown := sorted(set(_PLACE.findall(words)) - set(self.variables)):
            raise Invalid("the text has a place without a variable", reason="VARIABLE_UNDECLARED", variable=unknown[0])
        if "((" in _PLACE.sub("", words):
            raise Invalid("the text has a place that is none: ((name))", reason="PLACE_MALFORMED")

    def render(self, values: Mapping[str, str], locale: str) -> Rendered:
        """What it says in a language.

        Raises:
            Invalid: a value is missing, is not of its kind, or is for no variable; it is named, never shown.
        """
        self._must_have(values)
        chosen = best_locale(self.texts, locale)
        text, language = self.texts[chosen], _language(chosen)
        written = {name: write(kind, values[name], language) for name, kind in self.variables.items()}

        def plain(words: str) -> str:
            return _PLACE.sub(lambda place: written[place[1]], words)

        return Rendered(plain(text.title), plain(text.mail), self._html(text.mail, written), plain(text.sms))

    def _must_have(self, values: Mapping[str, str]) -> None:
        for name, kind in self.variables.items():
            if name not in values:
                raise Invalid("a variable has no value", reason="VARIABLE_MISSING", variable=name)
            if not _fits(kind, values[name]):
                raise Invalid(f"the value of a variable is no {kind}", reason="VARIABLE_MALFORMED", variable=name)
        if set(values) - set(self.variables):
            raise Invalid("there is a value for no variable", reason="VARIABLE_UNKNOWN")

    def _html(self, words: str, written: Mapping[str, str]) -> str:
        """Paragraphs, with links where the template or an address variable has one."""
        if not words:
            return ""
        parts = _PLACE.split(words)  # literal, name, literal, name, ..., literal
        made = "".join(
            _literal(part) if index % 2 == 0 else _value(self.variables[part], written[part])
            for index, part in enumerate(parts)
        )
        paragraphs = "".join(f"<p>{each.strip()}</p>\n" for each in re.split(r"\n\s*\n", made) if each.strip())
        return f"<!DOCTYPE html>\n<html><body>\n{paragraphs}</body></html>\n".replace("\r", "")


def write(kind: Kind, value: str, language: str) -> str:
    """A value as the language writes it."""
    match kind:
        case Kind.NUMBER:
            return value if language == "en" else value.replace(".", ",")
        case Kind.DATE:
            day = date.fromisoformat(value)
            month = _MONTHS[language].split()[day.month - 1]
            return f"{day.day} {month} {day.year}" if language == "en" else f"{day.day} de {month} de {day.year}"
        case Kind.TEXT | Kind.URL:
            return value


def _language(locale: str) -> str:
    return "en" if locale.lower().partition("-")[0] == "en" else "pt"


def _fits(kind: Kind, value: str) -> bool:
    fits: Mapping[Kind, Callable[[str], bool]] = {
        Kind.TEXT: lambda text: "".join(text.split(" ")).isprintable(),
        Kind.NUMBER: lambda text: _NUMBER.fullmatch(text) is not None,
        Kind.DATE: _is_day,
        Kind.URL: _is_link,
    }
    return 0 < len(value) <= _LONGEST and fits[kind](value)


def _is_day(value: str) -> bool:
    try:
        return len(value) == len("2026-11-26") and date.fromisoformat(value) is not None
    except ValueError:
        return False


def _is_link(value: str) -> bool:
    try:
        return _LINK.fullmatch(value) is not None and bool(urlsplit(value).hostname)
    except ValueError:
        return False


def _literal(words: str) -> str:
    made, end = [], 0
    for found in _LINK.finditer(words):
        made += [html.escape(words[end : found.start()]), _anchor(found[0])]
        end = found.end()
    return "".join([*made, html.escape(words[end:])])


def _value(kind: Kind, written: str) -> str:
    return _anchor(written) if kind is Kind.URL else html.escape(written)


def _anchor(address: str) -> str:
    return f'<a href="{html.escape(address)}">{html.escape(address)}</a>'
