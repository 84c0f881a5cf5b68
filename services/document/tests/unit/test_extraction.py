"""Taking text out of files that mean harm, and what the process may do that does it."""

import asyncio
import copy
import io
import subprocess
import sys
import zipfile
import zlib
from collections.abc import AsyncIterator

import pytest
from document.adapters.extraction import sandbox
from document.adapters.extraction.extractor import Limits, ProcessExtractor
from document.domain.extraction import Outcome, Taken

MIB = 1 << 20


async def taken(content: bytes, media_type: str = "", **limits: float) -> Taken:
    async def chunks() -> AsyncIterator[bytes]:
        for begin in range(0, len(content), 256 * 1024):
            yield content[begin : begin + 256 * 1024]

    return await ProcessExtractor(Limits(**limits)).extract(media_type, chunks())  # type: ignore[arg-type]


def package(**parts: bytes) -> bytes:
    """A package of Office with these parts, of `word/` unless they are named otherwise."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        for name, content in parts.items():
            archive.writestr(f"word/{name}.xml", content)
    return made.getvalue()


def pdf(*objects: str) -> bytes:
    """A PDF file of these objects, the first of which is its catalogue."""
    made, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(made))
        made += f"{number} 0 obj\n{content}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    trailer = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(made)}\n%%EOF"
    return made + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode()


@pytest.mark.parametrize(
    ("content", "media_type", "text"),
    [
        ("Olá, saúde".encode(), "text/plain", "Olá, saúde"),
        ("Olá, saúde".encode("cp1252"), "text/plain", "Olá, saúde"),
        ("Olá, saúde".encode("utf-16"), "text/plain", "Olá, saúde"),
        (b"\xef\xbb\xbfx", "", "x"),
        ("<html><script>var x</script><p>Olá</p></html>".encode(), "", "Olá\n"),
        (package(document=b"<d><p><t>um</t><tab/><t>dois</t></p></d>"), "", "um\ndois\n"),
    ],
)
async def test_text_comes_as_it_was_written(content: bytes, media_type: str, text: str):
    assert await taken(content, media_type) == Taken(Outcome.TEXT, text)


@pytest.mark.parametrize(
    ("content", "media_type", "outcome"),
    [
        (b"", "text/plain", Outcome.NO_TEXT),
        (b"\0\1\2", "", Outcome.NO_TEXT),
        (b"not an image", "image/png", Outcome.NO_TEXT),
        (b"%PDF-1.4 rubbish", "application/pdf", Outcome.BROKEN),
        (b"PK rubbish", "", Outcome.BROKEN),
        (package(document=b"<d><p>")[:-40], "", Outcome.BROKEN),
        (package(document=b"<d><p>"), "", Outcome.BROKEN),
        (package(document=b"<x>" * 100_000), "", Outcome.BOMB),
        (package(document=b"<d>" + b" " * (300 * MIB) + b"</d>"), "", Outcome.BOMB),
        (package(**{f"header{number}": b"<d/>" for number in range(10_001)}), "", Outcome.BOMB),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "", Outcome.ENCRYPTED),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 100, "application/msword", Outcome.NO_TEXT),
    ],
    ids=lambda value: value.name if isinstance(value, Outcome) else "",
)
async def test_what_cannot_be_read_has_an_outcome(content: bytes, media_type: str, outcome: Outcome):
    assert await taken(content, media_type) == Taken(outcome)


async def test_a_billion_laughs_are_not_laughed():
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    laughs = f'<!DOCTYPE l [<!ENTITY l0 "ha">{entities}]><l><t>&l9;</t></l>'
    assert await taken(package(document=laughs.encode())) == Taken(Outcome.BOMB)


async def test_an_entity_of_another_file_is_not_read():
    other = '<!DOCTYPE l [<!ENTITY passwords SYSTEM "file:///etc/passwd">]><l><t>&passwords;</t></l>'
    assert await taken(package(document=other.encode())) == Taken(Outcome.BOMB)


async def test_a_page_tree_without_end_ends():
    deep = [f"<< /Type /Pages /Count 1 /Kids [{number + 1} 0 R] >>" for number in range(2, 3_000)]
    outcome = (await taken(pdf("<< /Type /Catalog /Pages 2 0 R >>", *deep))).outcome
    assert outcome in {Outcome.NO_TEXT, Outcome.BROKEN, Outcome.CRASHED}
    circle = pdf("<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 9 /Kids [2 0 R 2 0 R] >>")
    assert (await taken(circle)).outcome in {Outcome.NO_TEXT, Outcome.BROKEN}


async def test_a_page_that_unpacks_to_more_than_there_is_memory_ends():
    packing = zlib.compressobj()
    bomb = b"".join([*(packing.compress(b"0 0 m " * MIB) for _ in range(100)), packing.flush()]).hex()
    page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>"
    content = f"<< /Filter [/ASCIIHexDecode /FlateDecode] /Length {len(bomb)} >>\nstream\n{bomb}\nendstream"
    pages = "<< /Type /Pages /Count 1 /Kids [3 0 R] >>"
    outcome = (await taken(pdf("<< /Type /Catalog /Pages 2 0 R >>", pages, page, content), cpu_seconds=10)).outcome
    assert outcome in {Outcome.NO_TEXT, Outcome.BROKEN, Outcome.MEMORY, Outcome.CRASHED, Outcome.TIMEOUT}


async def test_parts_that_lie_over_each_other_end_it():
    """Many names of a directory for one and the same compressed part (Fifield, 2019)."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/header1.xml", b"<d>" + b" " * MIB + b"</d>")
        kernel = archive.infolist()[-1]
        for number in range(2, 3_000):
            twin = copy.copy(kernel)
            twin.filename = f"word/header{number}.xml"
            archive.filelist.append(twin)
    assert (await taken(made.getvalue())).outcome in {Outcome.BOMB, Outcome.BROKEN}


async def test_more_text_than_is_wanted_is_cut():
    cut = await taken(b"palavra " * 1000, most_text=100)
    assert (cut.outcome, len(cut.text)) == (Outcome.TRUNCATED, 100)


async def test_a_file_that_needs_too_much_memory_is_given_up():
    assert (await taken(b"x" * (200 * MIB), memory=160 * MIB)).outcome is Outcome.MEMORY


async def test_a_process_that_takes_too_long_is_killed():
    async def never() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.Event().wait()

    assert await ProcessExtractor(Limits(deadline=0.5)).extract("", never()) == Taken(Outcome.TIMEOUT)


async def test_what_its_content_raises_is_raised():
    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise LookupError("the store is away")

    with pytest.raises(LookupError):
        await ProcessExtractor(Limits()).extract("", broken())


@pytest.mark.skipif(sys.platform != "linux", reason="the filter is Linux's")
@pytest.mark.parametrize(
    "forbidden",
    [
        "open('/etc/passwd')",
        "socket.socket(socket.AF_INET, socket.SOCK_STREAM)",
        "os.execv('/bin/true', ['true'])",
        "os.fork()",
        "os.kill(os.getppid(), 0)",
        "os.stat('/')",
    ],
)
def test_a_process_that_is_closed_off_can_do_nothing(forbidden: str):
    program = f"""
import os, socket, sys
from document.adapters.extraction import sandbox
sandbox.limit(1 << 30, 5)
sandbox.close_off()
try:
    {forbidden}
except PermissionError:
    sys.stdout.write("refused")
    sys.stdout.flush()
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("refused", 0), done.stderr


def test_every_architecture_allows_the_same_calls():
    (_, one), (_, other) = sandbox.CALLS.values()
    assert len(one) == len(other) == len({*one}) == len({*other})
