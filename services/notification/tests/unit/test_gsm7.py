import pytest
from errors import Invalid
from hypothesis import given
from hypothesis import strategies as st
from notification.domain import gsm7


@given(st.text(max_size=400))
def test_any_text_is_made_to_fit_into_one_segment(text):
    fitting = gsm7.one_segment(text)
    assert gsm7.septets(fitting) == len(fitting) == min(len(text), gsm7.SEGMENT_SEPTETS)


@pytest.mark.parametrize(
    ("text", "plain"), [("Opção à mão", "Opcao à mao"), ("João: 5 €", "Joao: 5 ?"), ("日本", "??"), ("ﬁm", "fm")]
)
def test_accents_without_a_place_are_dropped(text, plain):
    assert gsm7.one_segment(text) == plain


def test_what_needs_an_escape_counts_twice_and_what_has_no_place_is_refused():
    assert gsm7.septets("a€[") == 5
    with pytest.raises(Invalid) as told:
        gsm7.septets("ã")
    assert told.value.reason == "NOT_GSM7"
