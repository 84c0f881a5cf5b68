"""The checks of request fields, without a server."""

import pytest
import rpc
from errors import Invalid
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st
from rpc import validation


def violations(message):
    try:
        rpc.validate(message)
    except Invalid as error:
        return error.details
    return {}


LONGEST = "x" * 64 + "@" + ".".join(["y" * 61, "y" * 61, "y" * 61, "yyy"])


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("id", ["a", "e01", "A.b_c-9", "x" * 64], ["a b", "é", "a/b", "x" * 65, "a\n", "١"]),
        (
            "address",
            [
                "a@b",
                "maria.silva+tag@ulsm.min-saude.pt",
                "!#$%&'*+/=?^_`{|}~-@x.pt",
                '"quoted \\" local"@x.pt',
                "joão@exemplo.pt",
                "a@exämple.pt",
                "a@[127.0.0.1]",
                "a@[IPv6:::1]",
                LONGEST,
            ],
            [
                "a",
                "@b",
                "a@",
                "a b@c",
                ".a@b",
                "a.@b",
                "a..b@c",
                "a@b..c",
                "a@-b",
                "a@b-",
                "a@b\r\n",
                "a\x00@b",
                "a@b@c",
                "<a@b>",
                "a@b.",
                "a,b@c",
                '"a"b@c',
                '"\n"@c',
                "x" * 65 + "@b",
                "é" * 33 + "@b",
                "a\u2028@b",
                "a\u0085@b",
                LONGEST + "y",
                "a@" + "y" * 64,
            ],
        ),
        (
            "mobile",
            ["+351912345678", "+1234567"],
            ["351912345678", "+0123456789", "+35191234567890123", "+351 912", "+"],
        ),
        (
            "name",
            ["Relatório 2026.pdf", "a:b", " x ", "...", "日本"],
            ["a/b", ".", "..", "a\x00b", "a\nb", " ", "\x7f"],
        ),
        ("short", ["abcde", "ééééé"], ["abcdef"]),
        ("plain", ["x" * 1024], ["x" * 1025]),
        ("small", [b"1234"], [b"12345"]),
        ("plain_bytes", [b"x" * (1 << 20)], [b"x" * ((1 << 20) + 1)]),
        ("addresses", [["a@b"] * 3], [["a@b"] * 4]),
        ("numbers", [[1] * 1000], [[1] * 1001]),
        ("labels", [{"a": "b" * 1024}], [{"a" * 1025: "b"}, {str(n): "" for n in range(1001)}]),
    ],
)
def test_what_a_field_may_hold(echo, field, good, bad):
    for value in good:
        assert violations(echo.ShapesRequest(**{field: value})) == {}, value
    for value in bad:
        assert list(violations(echo.ShapesRequest(**{field: value}))) == [field], value


def test_what_is_not_set_is_not_checked(echo):
    assert violations(echo.ShapesRequest()) == {}


def test_required_means_not_empty_and_not_zero(echo):
    assert set(violations(echo.AllRequired())) == {"text", "items", "inner", "colour", "number", "maybe", "content"}
    full = echo.AllRequired(
        text="x", items=["x"], inner=echo.Inner(must="x"), colour=1, number=1, maybe=0, content=b"\0"
    )
    assert violations(full) == {}


def test_a_violation_is_named_by_its_path(echo):
    message = echo.ShapesRequest(
        addresses=["a@b", "x"],
        inners=[echo.Inner(must="ok"), echo.Inner(must="ok", deeper=echo.Inner(deeper=echo.Inner(must="too long")))],
        inner=echo.Inner(),
        inner_by_name={"n": echo.Inner()},
        labels={"k": "x" * 1025},
        at=Timestamp(seconds=1 << 60),
    )
    assert set(violations(message)) == {
        "addresses[1]",
        "inners[1].deeper.must",
        "inners[1].deeper.deeper.must",
        "inner.must",
        "inner_by_name[n].must",
        "labels[k]",
        "at",
    }


def test_the_error_says_what_is_wrong_first(echo):
    with pytest.raises(Invalid, match=r"inner\.must is required") as caught:
        rpc.validate(echo.ShapesRequest(inner=echo.Inner()))
    assert caught.value.reason == "INVALID_FIELD"


def test_a_hostile_request_does_not_make_a_long_answer(echo):
    message = echo.ShapesRequest(inners=[echo.Inner()] * 1000)
    assert len(violations(message)) == 20


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=300))
def test_the_checks_are_total_and_say_yes_or_no_to_anything(text):
    for fits, _ in validation._FORMATS.values():
        assert fits(text) is None or fits(text) or not fits(text)


PIECES = st.text('ab.@"<> \\\r\n\x00\x85\u2028é-[]:1', max_size=8)


@settings(max_examples=1000, deadline=None)
@given(st.builds("{}@{}".format, st.one_of(PIECES, PIECES.map('"{}"'.format)), PIECES))
def test_no_address_that_passes_can_break_a_line_of_smtp(address):
    if validation._is_address(address):
        assert not set(address) & set("\r\n\0\x85\u2028")
        assert " " not in address or address.startswith('"')
        assert len(address.encode()) <= 254


def test_a_field_may_have_any_name():
    assert rpc.invalid_fields({"reason": "is missing", "message": "is missing"}).details == {
        "reason": "is missing",
        "message": "is missing",
    }
