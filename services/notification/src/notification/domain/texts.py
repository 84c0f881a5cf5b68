"""The words of the notices, by locale."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from notification.domain import gsm7

FALLBACK: Final = "pt-PT"
_MAIL_BODY: Final = {
    "pt": "{title}\n\nPode ver este aviso na sua caixa de entrada do Rossio.\n",
    "en": "{title}\n\nYou find this notice in your Rossio inbox.\n",
}


@dataclass(frozen=True, slots=True)
class Message:
    """What goes to a provider. Nothing of it shows in a traceback or a log."""

    to: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)


def mail_arrived() -> dict[str, str]:
    return {"pt": "Recebeu uma nova mensagem de correio", "en": "You have new mail"}


def document_shared(name: str) -> dict[str, str]:
    return {"pt": f"Foi partilhado consigo: {name}", "en": f"Shared with you: {name}"}


def link_ending(name: str) -> dict[str, str]:
    return {"pt": f"Uma ligação sua vai expirar: {name}", "en": f"A link of yours will expire: {name}"}


def in_locale(texts: Mapping[str, str], locale: str) -> str:
    """The text in `locale`, else in its language, else the first (RFC 4647, lookup)."""
    wanted = (locale or FALLBACK).lower()
    by_locale = {each.lower(): text for each, text in texts.items()}
    if wanted in by_locale:
        return by_locale[wanted]
    language = wanted.partition("-")[0]
    return next(
        (text for each, text in by_locale.items() if each.partition("-")[0] == language), next(iter(texts.values()))
    )


def as_mail(to: str, title: str, locale: str) -> Message:
    return Message(to=to, subject=title, text=in_locale(_MAIL_BODY, locale).format(title=title))


def as_sms(to: str, title: str) -> Message:
    return Message(to=to, subject="", text=gsm7.one_segment(title))
