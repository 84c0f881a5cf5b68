"""The words of the notices, by locale."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from notification.domain import gsm7
from notification.domain.vocabulary import Lane, Topic

FALLBACK: Final = "pt-PT"
_MAIL_BODY: Final = {
    "pt": "{title}\n\nPode ver este aviso na sua caixa de entrada do Rossio.\n",
    "en": "{title}\n\nYou find this notice in your Rossio inbox.\n",
}
_DIGEST_SUBJECT: Final = {"pt": "Resumo: {count} avisos", "en": "Summary: {count} notices"}


@dataclass(frozen=True, slots=True)
class Message:
    """What goes to a provider. Nothing of it shows in a traceback or a log."""

    to: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    # The same for readers of mail that show markup; empty: only text.
    html: str = field(default="", repr=False)
    # The name of a PDF of the text that goes with the mail; empty: none does.
    pdf: str = ""


@dataclass(frozen=True, slots=True)
class Submission:
    """What a provider is told beside the message.

    `key` names the submission for ever; `unsubscribe` is where one click ends mails like it, or empty.
    """

    key: str
    notification_id: str
    topic: Topic
    lane: Lane
    unsubscribe: str = ""


def mail_arrived() -> dict[str, str]:
    return {"pt": "Recebeu uma nova mensagem de correio", "en": "You have new mail"}


def document_shared(name: str) -> dict[str, str]:
    return {"pt": f"Foi partilhado consigo: {name}", "en": f"Shared with you: {name}"}


def link_ending(name: str) -> dict[str, str]:
    return {"pt": f"Uma ligação sua vai expirar: {name}", "en": f"A link of yours will expire: {name}"}


def acknowledgement_due(titles: Mapping[str, str]) -> dict[str, str]:
    """A reminder of a post, by the locales of its titles."""
    return _around(titles, {"pt": "Falta confirmar a leitura: {}", "en": "Not acknowledged yet: {}"})


def acknowledge_again(titles: Mapping[str, str]) -> dict[str, str]:
    """The next version of a post that has to be acknowledged."""
    return _around(titles, {"pt": "Nova versão, a confirmar de novo: {}", "en": "New version to acknowledge: {}"})


def alert_changed(titles: Mapping[str, str]) -> dict[str, str]:
    return _around(titles, {"pt": "Atualização: {}", "en": "Update: {}"})


def _around(titles: Mapping[str, str], words: Mapping[str, str]) -> dict[str, str]:
    """Each title in the words of its locale."""
    return {locale: in_locale(words, locale).format(title) for locale, title in titles.items()}


def best_locale(locales: Iterable[str], locale: str) -> str:
    """Of the locales `locale` itself, else one of its language, else the first (RFC 4647, lookup)."""
    offered = list(locales)
    wanted = (locale or FALLBACK).lower()
    exact = [each for each in offered if each.lower() == wanted]
    same_language = [each for each in offered if each.lower().partition("-")[0] == wanted.partition("-")[0]]
    return next(iter([*exact, *same_language, *offered]))


def in_locale(texts: Mapping[str, str], locale: str) -> str:
    """The text in the best locale."""
    return texts[best_locale(texts, locale)]


def digest(lines: Sequence[str], locale: str) -> tuple[str, str]:
    """Subject and text of one mail for several notices."""
    subject = in_locale(_DIGEST_SUBJECT, locale).format(count=len(lines))
    return subject, "".join(f"- {' '.join(line.split())}\n" for line in lines)


def as_mail(to: str, title: str, locale: str) -> Message:
    return Message(to=to, subject=title, text=in_locale(_MAIL_BODY, locale).format(title=title))


def as_sms(to: str, title: str) -> Message:
    return Message(to=to, subject="", text=gsm7.one_segment(title))
