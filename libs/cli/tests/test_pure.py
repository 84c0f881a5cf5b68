"""What the command works out by itself, asking nobody."""

from email import message_from_bytes
from email.policy import default

import pytest
from cli.client import endpoints_of
from cli.demo.stage import Cast
from cli.mail import compose, with_crlf
from errors import Invalid
from testkit.ministry import Ministry


def test_a_composed_mail_has_the_line_ends_and_the_text_that_it_was_given() -> None:
    content = compose("a@e01.example", ["b@e02.example", "c@e03.example"], "Olá", "ação\nfim")
    assert content.count(b"\n") == content.count(b"\r\n") == content.count(b"\r")
    message = message_from_bytes(content, policy=default)
    assert (message["From"], message["To"], message["Subject"]) == (
        "a@e01.example",
        "b@e02.example, c@e03.example",
        "Olá",
    )
    assert message["Message-ID"].endswith("@e01.example>")
    assert message.get_content().split() == ["ação", "fim"]


@pytest.mark.parametrize("subject", ["a\nBcc: x@else.test", "a\r\nb"])
def test_a_subject_brings_no_fields_along(subject: str) -> None:
    with pytest.raises(Invalid, match="no mail can be made"):
        compose("a@e01.example", ["b@e02.example"], subject, "")


def test_line_ends_become_those_of_smtp_once() -> None:
    assert with_crlf(b"a\nb\r\nc") == with_crlf(with_crlf(b"a\nb\r\nc")) == b"a\r\nb\r\nc"


def test_endpoints_are_read_from_their_setting() -> None:
    assert endpoints_of("news=h:1, document=[::1]:2") == {"news": "h:1", "document": "[::1]:2"}


@pytest.mark.parametrize("given", ["garbage", "news=", "=h:1", "news=h:1,"])
def test_endpoints_of_another_form_are_refused(given: str) -> None:
    with pytest.raises(Invalid, match="ROSSIO_ENDPOINTS"):
        endpoints_of(given)


@pytest.fixture(scope="module")
def cast() -> Cast:
    return Cast(Ministry(1200, 1))


def test_the_cast_is_chosen_by_what_people_are(cast: Cast) -> None:
    assert "news.editor" in cast.person("e01", "news.editor").roles
    assert not cast.person("e02").roles
    assert cast.person("e02", nth=1) != cast.person("e02")
    assert cast.clinician("e03").profession in {"nurse", "doctor"}
    assert {"governance.auditor", "ministry.admin"} <= set(cast.auditor.roles)


def test_a_nested_list_reaches_people_of_its_entity_through_other_lists(cast: Cast) -> None:
    nested = cast.nested_list("e03")
    assert nested.addresses
    assert {person.entity_id for person in cast.members(nested).values()} == {"e03"}
