import pytest
from document.domain.ranges import Part, content_range, requested
from errors import Invalid
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-0", Part(0, 1)),
        ("bytes=2-4", Part(2, 3)),
        ("bytes=2-", Part(2, 8)),
        ("bytes=-3", Part(7, 3)),
        ("bytes=-99", Part(0, 10)),
        ("bytes=9-99", Part(9, 1)),
        ("", None),
        ("bytes=0-1,3-4", None),
        ("items=0-1", None),
        ("bytes=5-4", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("bytes=٣-٤", None),
    ],
)
def test_one_range_is_taken_and_what_is_none_is_left_aside(header: str, part: Part | None):
    assert requested(header, 10) == part


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=11-12", 10), ("bytes=-0", 10), ("bytes=0-", 0)]
)
def test_a_range_of_nothing_is_refused_and_the_size_said(header: str, size: int):
    with pytest.raises(Invalid) as refused:
        requested(header, size)
    assert (refused.value.reason, refused.value.details["size"]) == ("RANGE", str(size))


@given(first=st.integers(0, 200), last=st.integers(0, 200), size=st.integers(1, 100))
def test_a_range_lies_in_the_content(first: int, last: int, size: int):
    try:
        part = requested(f"bytes={first}-{last}", size)
    except Invalid:
        assert first >= size
        return
    whole = bytes(range(size))
    if part is None:
        assert last < first
    else:
        assert whole[part.offset : part.offset + part.length] == whole[first : last + 1]
        assert content_range(part, size) == f"bytes {first}-{min(last, size - 1)}/{size}"
