import pytest
from errors import Invalid
from news.domain.accessibility import findings, must_pass
from news.domain.colours import contrast
from news.domain.reading_ease import reading_ease
from news.domain.text import Variant


def rules(body: str, locale: str = "pt") -> list[tuple[str, bool]]:
    return [(each.rule, each.error) for each in findings([Variant.of(locale, "t", body)])]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("![](document:n1)", [("ALT_TEXT", True)]),
        ("![um mapa](document:n1)", []),
        ("# a\n\n## b\n\n### c\n\n## d\n\n### e", []),
        ("## a\n\n#### b", [("HEADING_ORDER", True)]),
        ("### a", [("HEADING_ORDER", True)]),
        ("##\n\ntexto", [("HEADING_ORDER", True)]),
        ('<span style="color:#777">cinzento</span>', [("CONTRAST", True)]),
        ('<span style="color:#767676">cinzento</span>', []),
        ('<span style="background-color:navy">escuro</span>', [("CONTRAST", True)]),
        ('<span style="background-color:navy;color:white">claro</span>', []),
        ('<span style="color:rebeccapurple">x</span>', [("CONTRAST", True)]),
        ("[clique aqui](https://x.pt)", [("LINK_TEXT", False)]),
        ("[o regulamento](https://x.pt)", []),
    ],
)
def test_what_keeps_people_from_reading_is_found(body, found):
    assert rules(body) == found


def test_the_figures_are_those_of_the_standards():
    assert contrast("#fff", "black") == pytest.approx(21)
    assert contrast("#777777", "white") == pytest.approx(4.48, abs=0.01)
    assert contrast("white", "white") == 1
    plain = "O gato dorme. " * 15
    hard = "A implementação institucionalizada das funcionalidades interoperáveis " * 6
    assert (reading_ease(plain, "pt-PT") or 0) > 75
    assert (reading_ease(hard, "pt-PT") or 0) < 0
    assert reading_ease("The cat sat on the mat. " * 10, "en-GB") == pytest.approx(116, abs=2)
    assert reading_ease(plain, "fr") is None
    assert reading_ease("Curto.", "pt") is None


def test_errors_stop_a_post_and_advice_does_not():
    must_pass([Variant.of("pt", "t", "A implementação institucionalizada das funcionalidades interoperáveis " * 6)])
    with pytest.raises(Invalid) as told:
        must_pass([Variant.of("pt", "t", "## a\n\n#### b\n\n![](document:n1)")])
    assert told.value.reason == "NOT_ACCESSIBLE"
    assert set(told.value.details) == {"ALT_TEXT", "HEADING_ORDER"}
