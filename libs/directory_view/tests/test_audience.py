"""Audience expressions: what can be said, in which canonical form, and what the errors point at."""

import re

import pytest
from directory_view.audience import ATTRIBUTES, MAX_DEPTH, MAX_LENGTH, Expression, parse, quoted
from errors import Invalid
from hypothesis import given, settings
from hypothesis import strategies as st

_VALUES = st.text(max_size=6) | st.sampled_from(['"', "\\", "e01", "\\\\", '\\"', "not", " "])


def _written(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Ways to write an expression around others, brackets and spaces and all."""
    return st.one_of(
        st.builds("( {} )".format, children),
        st.builds("not  {}".format, children.map("({})".format)),
        st.lists(children, min_size=2, max_size=3).map(" and ".join),
        st.lists(children, min_size=2, max_size=3).map(" or ".join),
    )


def _matches(attribute: str, values: list[str]) -> str:
    strings = [quoted(value) for value in values]
    return f"{attribute}={strings[0]}" if len(strings) == 1 else f"{attribute} in({','.join(strings)})"


_TEXTS = st.recursive(
    st.just("all")
    | st.builds(_matches, st.sampled_from(sorted(ATTRIBUTES)), st.lists(_VALUES, min_size=1, max_size=3)),
    _written,
    max_leaves=12,
)


@settings(deadline=None)
@given(_TEXTS)
def test_the_canonical_text_means_the_same(text: str) -> None:
    expression = parse(text)
    assert parse(str(expression)) == expression
    assert str(parse(str(expression))) == str(expression)


_PIECES = st.sampled_from([*'()=,"\\ \t\n%é', "all", "and", "or", "not", "in", "entity", '"e01"'])


@settings(deadline=None)
@given(st.lists(_PIECES, max_size=12).map("".join))
def test_any_text_is_an_expression_or_an_error_that_points_into_it(text: str) -> None:
    try:
        expression = parse(text)
    except Invalid as error:
        position = int(error.details["position"])
    else:
        position = 1
        assert parse(str(expression)) == expression
    assert 1 <= position <= len(text) + 1


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ('entity = "e1" or (entity = "e0" or entity = "e1")', 'entity = "e0" or entity = "e1"'),
        ('unit in ("u2", "u1", "u2")', 'unit in ("u1", "u2")'),
        ('unit in ("u1")', 'unit = "u1"'),
        ("not not all", "all"),
        ('not (role = "a" and all)', 'not (all and role = "a")'),
        ('role = "b" and (locale = "en" or all)', '(all or locale = "en") and role = "b"'),
        (
            'entity = "e01" and profession in ("nurse","doctor") and not unit = "u1" or group = "g1"',
            'entity = "e01" and not unit = "u1" and profession in ("doctor", "nurse") or group = "g1"',
        ),
    ],
)
def test_equal_audiences_meet(text: str, canonical: str) -> None:
    expression: Expression = parse(text)
    assert str(expression) == canonical


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("", 1, "the end where an attribute"),
        ("(all", 5, 'the end where ")"'),
        ("entity = e01", 10, "where a string in double quotes"),
        ('entity = "e01', 10, "a string that does not end"),
        ('entity in ("a" "b")', 16, 'where ")"'),
        ('entity "a"', 8, 'where "=" or "in"'),
        ("all all", 5, "the end"),
        ("all % all", 5, "unexpected '%'"),
        ('string = "x"', 1, "there is no attribute 'string'"),
        ("(" * (MAX_DEPTH + 1) + "all" + ")" * (MAX_DEPTH + 1), MAX_DEPTH + 1, "nested deeper"),
        (" " * MAX_LENGTH + "all", MAX_LENGTH + 1, "at most"),
    ],
)
def test_an_error_says_where_and_what(text: str, position: int, says: str) -> None:
    with pytest.raises(Invalid, match=re.escape(says)) as caught:
        parse(text)
    assert caught.value.details["position"] == str(position)


def test_an_unknown_attribute_is_named() -> None:
    with pytest.raises(Invalid) as caught:
        parse('all and colour = "red"')
    assert caught.value.reason == "UNKNOWN_ATTRIBUTE"
    assert caught.value.details == {"position": "9", "attribute": "colour"}
