"""Words as the index holds them: stemmed, and sealed with a key of the entity, so that the disk holds no word."""

import base64
from collections.abc import Iterable
from functools import lru_cache, partial
from hashlib import blake2b
from typing import Final

from tantivy import Filter, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

_PLURALS: Final = (
    ("oes", "ao"),
    ("aes", "ao"),
    ("ais", "al"),
    ("eis", "el"),
    ("ois", "ol"),
    ("uis", "ul"),
    ("ns", "m"),
)
"""Endings of plurals without accents, which the Portuguese stemmer knows only with them."""
_SHORTEST_PLURAL: Final = 5
_REMEMBERED_STEMS: Final = 50_000
_REMEMBERED_TERMS: Final = 5_000
"""Of each index that is open: a word takes some 350 bytes, and the common ones are fewer."""


def _stemmer(language: str) -> TextAnalyzer:
    return TextAnalyzerBuilder(Tokenizer.raw()).filter(Filter.stemmer(language)).build()


_portuguese, _english = _stemmer("portuguese"), _stemmer("english")


class SnowballStemmer:
    """The port `Stemmer`."""

    def stems(self, word: str) -> frozenset[str]:
        return frozenset(stems(word))


@lru_cache(_REMEMBERED_STEMS)
def stems(word: str) -> tuple[str, str]:
    """The Portuguese and the English stem of a folded word (Snowball)."""
    singular = word
    if len(word) >= _SHORTEST_PLURAL:
        singular = next((word[: -len(end)] + one for end, one in _PLURALS if word.endswith(end)), word)
    return _first(_portuguese.analyze(singular)) or word, _first(_english.analyze(word)) or word


def _first(tokens: list[str]) -> str:
    return tokens[0] if tokens else ""


class SealedTerms:
    """Terms of one entity: 64 bits of a keyed hash (BLAKE2b), as text. Without the key they say nothing."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._of_word = lru_cache(_REMEMBERED_TERMS)(partial(_sealed_stems, key))  # not of self: that were a cycle

    def seal(self, kind: str, value: str) -> str:
        """A value that is searched for as it is; those of another kind are other terms."""
        return _sealed(self._key, kind, value)

    def of_word(self, word: str) -> tuple[str, str]:
        """Those of its Portuguese and its English stem."""
        return self._of_word(word)

    def text(self, words: Iterable[str]) -> str:
        """Words in order, for phrases, by their Portuguese stems."""
        of_word = self._of_word
        return " ".join([of_word(word)[0] for word in words])

    def english(self, words: Iterable[str]) -> set[str]:
        """The English stems that are others than the Portuguese ones."""
        terms = map(self._of_word, set(words))
        return {english for portuguese, english in terms if english != portuguese}


def _sealed_stems(key: bytes, word: str) -> tuple[str, str]:
    portuguese, english = stems(word)
    sealed = _sealed(key, "stem", portuguese)
    return sealed, sealed if english == portuguese else _sealed(key, "stem", english)


def _sealed(key: bytes, kind: str, value: str) -> str:
    digest = blake2b(f"{kind}\0{value}".encode(), key=key, digest_size=8).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
