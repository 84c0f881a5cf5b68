"""How easy a text is to read.

English: Flesch (1948), 206.835 - 1.015 ASL - 84.6 ASW. Portuguese: the same with 248.835, after Martins,
Ghiraldelo, Nunes and Oliveira (1996). ASL is words a sentence, ASW syllables a word. From 0 to 100; below
25 is what only specialists read.
"""

import re
from typing import Final

HARD: Final = 25
_LEAST_WORDS: Final = 30
_BASE: Final = {"pt": 248.835, "en": 206.835}
_WORD: Final = re.compile(r"[^\W\d_]+")
_SENTENCE: Final = re.compile(r"[.!?;:\n]+")
# Vowels that stand together are one syllable: for English too long now and then, for Portuguese too short.
_SYLLABLE: Final = re.compile(r"[aeiouyáàâãéêíóôõúü]+", re.IGNORECASE)


def reading_ease(text: str, locale: str) -> float | None:
    """None for another language, and for what is too short to be judged."""
    base = _BASE.get(locale.lower().partition("-")[0])
    sentences = [words for part in _SENTENCE.split(text) if (words := _WORD.findall(part))]
    words = [word for sentence in sentences for word in sentence]
    if base is None or len(words) < _LEAST_WORDS:
        return None
    syllables = sum(max(1, len(_SYLLABLE.findall(word))) for word in words)
    return base - 1.015 * len(words) / len(sentences) - 84.6 * syllables / len(words)
