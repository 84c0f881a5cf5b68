"""The reference is made from what is there now, and says what callers need."""

import json
from pathlib import Path

import pytest
from reference.__main__ import files

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def made():
    return files(ROOT)


def test_the_reference_is_current(made):
    stale = [
        str(path) for path, text in made.items() if not (ROOT / path).exists() or (ROOT / path).read_text() != text
    ]
    assert not stale, "run `make docs`"


def test_a_method_stands_with_who_may_call_it_and_for_how_long(made):
    page = made[Path("docs/reference/rossio.document.v1.md")]
    (row,) = [line for line in page.splitlines() if line.startswith("| `Upload` (writes)")]
    _, request, response, who, deadline, about = row.removesuffix(" |").split(" | ")
    assert (request, response, deadline) == ("stream UploadRequest", "UploadResponse", "3600 s")
    assert "person" in who
    assert about.startswith("Stores a file")


def test_a_field_stands_with_what_it_must_be(made):
    page = made[Path("docs/reference/rossio.document.v1.md")].partition("### CreateSpaceRequest")[2]
    assert "| `name` | string | set, at most 255, name |" in page.partition("###")[0]


def test_every_stream_is_in_the_asyncapi_document_and_on_the_page(made):
    document = json.loads(made[Path("docs/reference/asyncapi.json")])
    assert document["asyncapi"] == "3.0.0"
    addresses = {channel["address"] for channel in document["channels"].values()}
    page = made[Path("docs/reference/streams.md")]
    assert {line[3:] for line in page.splitlines() if line.startswith("## ")} == addresses


def test_every_service_has_a_page(made):
    names = {path.parts[-3] for path in ROOT.glob("protos/rossio/*/v1/service.proto")}
    assert "mail" in names
    assert {Path(f"docs/reference/rossio.{name}.v1.md") for name in names} <= made.keys()
