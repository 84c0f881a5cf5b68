from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from errors import Invalid
from hypothesis import given
from hypothesis import strategies as st
from notification.domain.template import Kind, Template, Text
from notification.domain.vocabulary import Topic

TEMPLATE = Template(
    entity_id="e01",
    name="consulta",
    version=1,
    topic=Topic.SERVICE,
    variables={"nome": Kind.TEXT, "dia": Kind.DATE, "valor": Kind.NUMBER, "pagina": Kind.URL},
    texts={
        "pt-PT": Text(
            title="Consulta a ((dia))",
            mail="Olá ((nome)),\n\né a ((dia)), custa ((valor)) €: ((pagina))",
            sms="((nome)): ((dia))",
        ),
        "en": Text(
            title="Appointment on ((dia))",
            mail="Hello ((nome)): ((valor)) € https://sns24.gov.pt/a?b&c.",
            sms="((nome)): ((dia))",
        ),
    },
    author="ana",
    created_at=datetime(2026, 11, 26, tzinfo=UTC),
)
VALUES = {"nome": "Rui", "dia": "2026-03-01", "valor": "1.5", "pagina": "https://sns24.gov.pt/x?a=1&b=2"}


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str | None] = []
        self.data = ""

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name == "href"]
        assert {name for name, _ in attrs} <= {"href"}

    def handle_data(self, data) -> None:
        self.data += data


def parsed(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    return tags


def test_values_are_written_as_the_language_does():
    portuguese = TEMPLATE.render(VALUES, "")
    assert portuguese.title == "Consulta a 1 de março de 2026"
    assert portuguese.mail == "Olá Rui,\n\né a 1 de março de 2026, custa 1,5 €: https://sns24.gov.pt/x?a=1&b=2"
    english = TEMPLATE.render(VALUES, "en-GB")
    assert (english.sms, english.title) == ("Rui: 1 March 2026", "Appointment on 1 March 2026")
    assert parsed(portuguese.html).links == [VALUES["pagina"]]
    assert parsed(english.html).links == ["https://sns24.gov.pt/a?b&c"]


@given(st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), min_size=1, max_size=200))
def test_whatever_a_value_says_it_stays_text(value):
    said = TEMPLATE.render({**VALUES, "nome": value}, "pt")
    tags = parsed(said.html)
    assert set(tags.tags) == {"html", "body", "p", "a"}
    assert tags.links == [VALUES["pagina"]], "an address in a text becomes no link"
    assert value.strip() in tags.data
    assert said.sms == f"{value}: 1 de março de 2026", "places in values are none"


@pytest.mark.parametrize(
    "value", ["<script>alert(1)</script>", "((dia))", "https://evil.example", '"><img src=x onerror=y>', "&lt;"]
)
def test_scripts_places_and_addresses_in_a_value_are_words(value):
    said = TEMPLATE.render({**VALUES, "nome": value}, "pt")
    assert value in said.mail
    assert parsed(said.html).links == [VALUES["pagina"]]
    assert "<script" not in said.html


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"nome": "a\r\nBcc: x@y.test"}, "VARIABLE_MALFORMED"),
        ({"nome": ""}, "VARIABLE_MALFORMED"),
        ({"nome": "x" * 1001}, "VARIABLE_MALFORMED"),
        ({"dia": "2026-02-30"}, "VARIABLE_MALFORMED"),
        ({"dia": "20260226"}, "VARIABLE_MALFORMED"),
        ({"valor": "1e9"}, "VARIABLE_MALFORMED"),
        ({"pagina": "javascript:alert(1)"}, "VARIABLE_MALFORMED"),
        ({"pagina": "http://x.test"}, "VARIABLE_MALFORMED"),
        ({"outro": "x"}, "VARIABLE_UNKNOWN"),
    ],
)
def test_values_of_another_kind_are_refused_and_not_shown(changed, reason):
    with pytest.raises(Invalid) as told:
        TEMPLATE.render({**VALUES, **changed}, "pt")
    assert told.value.reason == reason
    assert all(value not in str(told.value) for value in changed.values() if len(value) > 1)


def test_a_missing_value_is_named():
    with pytest.raises(Invalid) as told:
        TEMPLATE.render({name: value for name, value in VALUES.items() if name != "valor"}, "pt")
    assert (told.value.reason, told.value.details) == ("VARIABLE_MISSING", {"variable": "valor"})
    assert "Rui" not in repr(TEMPLATE.render(VALUES, "pt"))


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"topic": Topic.PRESCRIPTION}, "TOPIC_NOT_FOR_TEMPLATES"),
        ({"texts": {"en": Text("x")}}, "TEMPLATE_WITHOUT_PORTUGUESE"),
        ({"variables": {"Nome": Kind.TEXT}}, "VARIABLE_NAME_MALFORMED"),
        ({"texts": {"pt": Text("((quem))")}}, "VARIABLE_UNDECLARED"),
        ({"texts": {"pt": Text("((nome)")}}, "PLACE_MALFORMED"),
        ({"texts": {"pt": Text("((__class__))")}}, "PLACE_MALFORMED"),
        ({"texts": {"pt": Text("x", sms="x"), "en": Text("x")}}, "TEMPLATE_UNEVEN"),
    ],
)
def test_a_template_that_could_never_be_sent_is_refused(wrong, reason):
    TEMPLATE.must_be_sound()
    with pytest.raises(Invalid) as told:
        replace(TEMPLATE, **wrong).must_be_sound()
    assert told.value.reason == reason
