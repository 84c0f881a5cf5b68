"""What an SMS takes, and what speaks against it, before anybody pays for it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from errors import Invalid

from notification.domain import gsm7

# Who gets a short link cannot see where it leads: the first thing that people are told about fraud.
_SHORTENERS: Final = re.compile(r"\b(?:bit\.ly|goo\.gl|t\.co|tinyurl\.com|ow\.ly|is\.gd|cutt\.ly)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SmsRules:
    """What holds for every SMS: most segments, the price of one in thousandths of a euro, words not to be sent."""

    most_segments: int = 4
    price_millis: int = 45
    words: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class SmsReport:
    """What an SMS takes; `problems` are reasons, none: it may be sent."""

    size: gsm7.Size
    cost_millis: int
    problems: tuple[str, ...]
    beyond_gsm7: str


def lint(text: str, rules: SmsRules) -> SmsReport:
    """Looks at a text as it would be sent."""
    size = gsm7.size(text)
    problems = []
    if size.segments > rules.most_segments:
        problems.append("SMS_TOO_LONG")
    if any(re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) for word in rules.words):
        problems.append("SMS_WORD_FORBIDDEN")
    if _SHORTENERS.search(text):
        problems.append("SMS_LINK_SHORTENED")
    return SmsReport(size, size.segments * rules.price_millis, tuple(problems), gsm7.beyond(text))


def must_be_sendable(text: str, rules: SmsRules) -> None:
    """Raises Invalid, by the first problem."""
    problems = lint(text, rules).problems
    if problems:
        raise Invalid("the SMS may not be sent as it is", reason=problems[0])
