from dataclasses import replace

import pytest
from errors import Invalid
from hypothesis import given
from hypothesis import strategies as st
from notification.domain import gsm7
from notification.domain.prescription import Lengths, Prescription

RIGHT = Prescription(
    number="1234567890123456789",
    access_code="246813",
    option_code="9753",
    mobile="+351912345678",
    email="citizen@example.org",
    guide="Tomar 1 comprimido de 1000 mg de 8 em 8 horas.\n",
    locale="pt-PT",
)
digits = st.text("0123456789", min_size=1, max_size=8)


@given(st.text("0123456789", min_size=19, max_size=19), digits, digits, st.sampled_from(["pt-PT", "en", "", "fr"]))
def test_the_sms_has_the_codes_and_fits_into_one_segment(number, access, option, locale):
    sms = replace(RIGHT, number=number, access_code=access, option_code=option, locale=locale).sms()
    assert gsm7.septets(sms.text) <= gsm7.SEGMENT_SEPTETS
    for code in (number, access, option):
        assert code in sms.text
    assert "comprimido" not in sms.text


def test_the_mail_has_the_guide_and_no_code():
    mail = RIGHT.mail()
    assert "Tomar 1 comprimido" in mail.text
    for code in (RIGHT.number, RIGHT.access_code, RIGHT.option_code):
        assert code not in mail.text + mail.subject


def test_nothing_of_it_shows_where_it_is_printed():
    for shown in (repr(RIGHT), repr(RIGHT.sms()), repr(RIGHT.mail())):
        for secret in (RIGHT.number, RIGHT.access_code, RIGHT.option_code, RIGHT.mobile, RIGHT.email, "Tomar"):
            assert secret not in shown


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"number": "123456789012345678"}, "PRESCRIPTION_NUMBER_MALFORMED"),
        ({"number": "123456789012345678x"}, "PRESCRIPTION_NUMBER_MALFORMED"),
        ({"number": "١٢٣٤٥٦٧٨٩٠١٢٣٤٥٦٧٨٩"}, "PRESCRIPTION_NUMBER_MALFORMED"),
        ({"access_code": "24681"}, "ACCESS_CODE_MALFORMED"),
        ({"option_code": "97531"}, "OPTION_CODE_MALFORMED"),
        ({"mobile": "912345678"}, "NUMBER_MALFORMED"),
        ({"mobile": "+35191234567"}, "NUMBER_MALFORMED"),
        ({"mobile": "+351212345678"}, "NUMBER_NOT_MOBILE"),
        ({"mobile": "+351300123456"}, "NUMBER_NOT_MOBILE"),
        ({"mobile": "+34612345678"}, "NUMBER_FOREIGN"),
        ({"guide": " \n"}, "GUIDE_BLANK"),
        ({"guide": "a\x00b"}, "GUIDE_MALFORMED"),
        ({"guide": "Código de acesso: 246813."}, "GUIDE_HOLDS_CODE"),
        ({"guide": "Receita 1234567890123456789"}, "GUIDE_HOLDS_CODE"),
    ],
)
def test_what_cannot_be_right_is_refused_by_its_reason(wrong, reason):
    with pytest.raises(Invalid) as told:
        replace(RIGHT, **wrong).must_be_sendable(Lengths())
    assert told.value.reason == reason
    for value in wrong.values():
        assert value not in str(told.value)


def test_without_an_address_no_guide_is_asked_for():
    replace(RIGHT, email="", guide="").must_be_sendable(Lengths())
    replace(RIGHT, guide="9 7531 e 1246813").must_be_sendable(Lengths())
