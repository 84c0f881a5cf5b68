"""What became of taking the text out of a content."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

FORMAT: Final = 1
"""Goes up when more is taken out than before, so that it is done once more."""


class Outcome(StrEnum):
    TEXT = "text"
    TRUNCATED = "truncated"
    NO_TEXT = "no_text"
    TOO_LARGE = "too_large"
    ENCRYPTED = "encrypted"
    BROKEN = "broken"
    BOMB = "bomb"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True)
class Taken:
    """How it ended, and the text: at least a letter with TEXT and TRUNCATED, else none."""

    outcome: Outcome
    text: str = ""


@dataclass(frozen=True, slots=True)
class Extracted:
    """How it ended, and where the text lies as content of the same entity; empty: there is none."""

    outcome: Outcome
    text_ref: str = ""
