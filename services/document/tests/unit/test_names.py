import unicodedata

import pytest
from document.domain import names
from errors import Invalid
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Relatório.pdf", "RELATÓRIO.PDF"),
        ("Relat\u00f3rio", "Relato\u0301rio"),
        ("Straße", "STRASSE"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("Å", "\u212b"),
        ("relat\u00adório", "relatório"),
        ("a\u200bb", "ab"),
        ("\u2764\ufe0f", "\u2764"),
    ],
)
def test_names_that_people_take_for_the_same_fold_to_the_same(one: str, other: str):
    assert names.fold(one) == names.fold(other)


def test_accents_tell_names_apart():
    assert names.fold("saúde") != names.fold("saude")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "empty"),
        (".", "folder's place"),
        ("..", "folder's place"),
        ("a/b", "/"),
        ("../etc/passwd", "/"),
        ("a\0b", "control"),
        ("a\nb", "control"),
        ("a\u2028b", "control"),
        ("\ud800", "control"),
        ("acta\u202efdp.exe", "reading direction"),
        (" a", "space"),
        ("a\u00a0", "space"),
        ("é" * 128, "longer"),
        ("\u200b\u00ad", "nothing of it is seen"),
        ("acta: 3", "Windows"),
        ("acta?", "Windows"),
        ('"acta"', "Windows"),
        ("a\\b", "Windows"),
        ("acta.", "ends with a dot"),
        ("a..", "ends with a dot"),
        ("CON", "device"),
        ("nul.txt", "device"),
        ("Com1.tar.gz", "device"),
        ("lpt\u00b9", "device"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_with_the_reason(name: str, why: str):
    with pytest.raises(Invalid, match=why) as refusal:
        names.normalise(name)
    assert refusal.value.reason == "NAME"


@pytest.mark.parametrize(
    "name",
    [
        "Acta n.º 3 (final) [v2].docx",
        ".gitignore",
        "a.b.c",
        "console",
        "com",
        "com10.txt",
        "nulo",
        "🎉 festa & cª",
        "…",
    ],
)
def test_names_as_people_write_them_are_kept(name: str):
    assert names.normalise(name) == name


@settings(deadline=None)
@given(st.text(max_size=80))
def test_a_normalised_name_is_stable_and_folds_like_the_one_given(name: str):
    try:
        normalised = names.normalise(name)
    except Invalid:
        return
    assert names.normalise(normalised) == normalised == unicodedata.normalize("NFC", name)
    assert names.fold(normalised) == names.fold(name)
    assert len(normalised.encode()) <= names.MAX_BYTES
