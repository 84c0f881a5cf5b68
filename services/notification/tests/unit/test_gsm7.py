import pytest
from errors import Invalid
from hypothesis import given
from hypothesis import strategies as st
from notification.domain import gsm7
from notification.domain.linter import SmsRules, lint


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


@given(st.text(st.sampled_from("aé€[ãç😀日"), max_size=500))
def test_the_parts_make_the_text_and_none_is_longer_than_a_segment(text):
    parts = gsm7.split(text)
    assert "".join(parts) == text
    size = gsm7.size(text)
    assert size.segments == len(parts)
    whole, part = (160, 153) if size.encoding == "gsm-7" else (70, 67)
    weigh = gsm7.septets if size.encoding == "gsm-7" else lambda each: len(each.encode("utf-16-be")) // 2
    assert all(weigh(each) <= (whole if len(parts) == 1 else part) for each in parts)


@pytest.mark.parametrize(
    ("text", "encoding", "length", "segments"),
    [
        ("a" * 160, "gsm-7", 160, 1),
        ("a" * 161, "gsm-7", 161, 2),
        ("€" * 81, "gsm-7", 162, 2),
        ("ã" * 70, "ucs-2", 70, 1),
        ("ã" * 71, "ucs-2", 71, 2),
        ("😀" * 35, "ucs-2", 70, 1),
    ],
)
def test_sizes_are_those_of_the_specification(text, encoding, length, segments):
    assert gsm7.size(text) == gsm7.Size(encoding, length, segments)


def test_the_linter_says_what_it_costs_and_what_may_not_be_sent():
    rules = SmsRules(most_segments=2, price_millis=40, words=("Valium",))
    report = lint("Ação: " + "x" * 70, rules)
    assert (report.size.segments, report.cost_millis, report.problems, report.beyond_gsm7) == (2, 80, (), "çã")
    assert lint("tome VALIUM já", rules).problems == ("SMS_WORD_FORBIDDEN",)
    assert lint("valiums", rules).problems == ()
    assert lint("veja bit.ly/x " + "x" * 400, rules).problems == ("SMS_TOO_LONG", "SMS_LINK_SHORTENED")
