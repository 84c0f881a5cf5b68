from io import BytesIO

import pytest
from errors import Invalid
from hypothesis import given
from hypothesis import strategies as st
from notification.adapters.pdf import must_fit, pdf
from pypdf import PdfReader


def read(document: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(BytesIO(document), strict=True).pages)


@given(st.lists(st.text("abcção (\\)€ '\"<>/", min_size=1, max_size=300), max_size=40))
def test_another_reader_reads_what_stands_in_it(lines):
    text = "\n".join(lines)
    assert "".join(read(pdf("Guia", text)).split()) == "".join(["Guia", *text.split()])


def test_long_guides_have_several_pages_and_no_character_is_left_out():
    document = pdf("Guia", "Tomar ≥ 1 comprimido.\n" * 200)
    assert len(PdfReader(BytesIO(document)).pages) == 4
    assert read(document).count("Tomar >= 1 comprimido.") == 200
    with pytest.raises(Invalid) as told:
        must_fit("日本")
    assert told.value.reason == "GUIDE_CHARACTER"
    must_fit("Tomar ≥ 1\r\n\tcomprimido")
