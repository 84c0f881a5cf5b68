"""Header sections, of which any bytes are read or refused."""

from pathlib import Path

import errors
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mail_routing.domain import address, headers
from mail_routing.domain.message import delivered_to, hops


def test_fields_folding_and_the_end() -> None:
    read = headers.read(
        b"Received: a\r\n\tb\r\nSUBJECT : x\r\nreceived: c\r\nDelivered-To: Ana@A.test\r\n\r\nbody: no\r\n"
    )
    assert read.fields[:3] == (("received", b"a\r\n\tb"), ("subject", b"x"), ("received", b"c"))
    assert hops(read) == 2
    assert delivered_to(read) == {"ana@a.test"}
    assert not read.has("body")


@pytest.mark.parametrize("content", [b"", b"\r\nbody\r\n", b"a: b\r\n", b"to: :;o:c\r\n\r\n"])
def test_odd_but_readable(content: bytes) -> None:
    headers.read(content)


@pytest.mark.parametrize(
    "content",
    [b"no colon\r\n", b"From ana Mon\r\nTo: x\r\n", b" leading: x\r\n", b"a: b\r\nc d: e\r\n\r\n", b": x\r\n", b"a: b"],
)
def test_what_is_no_field_is_refused(content: bytes) -> None:
    with pytest.raises(errors.Invalid) as refused:
        headers.read(content)
    assert refused.value.reason == "MALFORMED_MAIL"


@pytest.mark.parametrize("content", [b"a: b\r\n" * 1001, b"a: " + b"x" * 300_000 + b"\r\n", b"a: b\r\n c" * 70_000])
def test_too_much_is_refused(content: bytes) -> None:
    with pytest.raises(errors.Invalid):
        headers.read(content)


@given(st.binary(max_size=400) | st.text(alphabet=":ab \r\n\t", max_size=60).map(str.encode))
def test_reading_is_total(content: bytes) -> None:
    try:
        read = headers.read(content)
    except errors.Invalid:
        assert headers.section(content) == b""
    else:
        assert content[: read.end] == headers.section(content)


REAL = sorted(Path("/usr/lib/python3.11/test/test_email/data").glob("msg_*.txt"))
NO_HEADER = {"msg_19", "msg_25", "msg_35", "msg_43"}  # no header at all, an mbox's "From ", no empty line


@pytest.mark.skipif(not REAL, reason="libpython3.11-testsuite is not installed")
@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_real_messages_are_read_or_refused(path: Path) -> None:
    content = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    if path.stem in NO_HEADER:
        with pytest.raises(errors.Invalid):
            headers.read(content)
    else:
        assert headers.read(content).fields


@given(st.text(max_size=80) | st.from_regex(r"[a-z.+\"]{1,12}@[a-z.-]{1,12}", fullmatch=True))
def test_an_address_is_read_to_one_that_reads_the_same_or_refused(text: str) -> None:
    try:
        parsed = address.parse(text)
    except errors.Invalid:
        pass
    else:
        assert address.parse(parsed) == parsed
        assert address.canonical(parsed) == address.canonical(address.canonical(parsed))
