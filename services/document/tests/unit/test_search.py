"""Words, queries and snippets, without an index."""

from contextlib import suppress

import pytest
from document.adapters.terms import SealedTerms, stems
from document.domain.search import Query, fold, names_hold, parse, pieces, words
from document.domain.snippet import snippet
from errors import Invalid
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("saúde", "saude"),
        ("receitas", "receita"),
        ("prescrições", "prescricao"),
        ("hospitais", "hospital"),
        ("reuniões", "Reunião"),
        ("médicos", "medica"),
        ("animais", "animal"),
        ("reports", "report"),
        ("publishing", "published"),
        ("STRASSE", "straße"),
    ],
)
def test_what_is_said_in_another_form_is_the_same_word(one: str, other: str):
    assert set(stems(fold(one))) & set(stems(fold(other)))


@pytest.mark.parametrize(("one", "other"), [("saúde", "saudade"), ("plano", "planeta"), ("2025", "2026")])
def test_other_words_are_others(one: str, other: str):
    assert not set(stems(fold(one))) & set(stems(fold(other)))


def test_a_query_is_taken_apart():
    query = parse('Saúde "plano de férias" -rascunho Relat* relatorio_final.pdf')
    assert query.words == ("saude", "relatorio", "final", "pdf")
    assert query.phrases == (("plano", "de", "ferias"),)
    assert query.beginnings == ("relat",)
    assert query.without == ("rascunho",)


@pytest.mark.parametrize(
    "text", ["-a", "a*", '""', "!!", "a " + "b c d e f g h i j k l m n o p q r s t u v w x y z 0 1 2 3 4 5 6 7"]
)
def test_a_query_without_a_word_or_with_too_many_is_refused(text: str):
    with pytest.raises(Invalid):
        parse(text)


@given(st.text(max_size=200))
def test_any_query_is_one_or_is_refused(text: str):
    query = Query()
    with suppress(Invalid):
        query = parse(text)
        assert bool(query.sought) == bool(text.strip())


@given(st.text(max_size=400), st.text(max_size=30))
def test_a_snippet_is_of_its_text(text: str, query: str):
    sought = words(query)
    parts = snippet(text, sought, set(sought).__contains__)
    whole = "".join(part.text for part in parts)
    assert len(whole) < 400
    assert " ".join(whole.replace("…", " ").split()) in " ".join(text.replace("…", " ").split())
    assert all(fold(part.text) in set(sought) for part in parts if part.match)


def test_a_term_says_nothing_without_the_key():
    one, other = SealedTerms(b"1" * 32), SealedTerms(b"2" * 32)
    assert one.of_word("saude") == SealedTerms(b"1" * 32).of_word("saude")
    assert not set(one.of_word("saude")) & set(other.of_word("saude"))
    assert one.seal("author", "saud") not in one.of_word("saude")


def test_folders_are_named_by_beginnings_of_words():
    assert names_hold(["Casa", "Relatórios do ano"], ["relat", "casa"])
    assert not names_hold(["Casa"], ["relat"])
    assert not names_hold([], ["x"])


@given(st.text(st.sampled_from("aé \n-9"), max_size=400), st.integers(1, 50))
def test_a_text_in_pieces_has_the_same_words(text: str, size: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("document.domain.search._PIECE", size)
        found = list(pieces(text))
    assert "".join(found) == text
    assert [word for piece in found for word in words(piece)] == words(text)
