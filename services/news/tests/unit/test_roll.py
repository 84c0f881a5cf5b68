"""The roll that the service signs, held against the verifier that shares no code with it."""

import base64
from datetime import UTC, datetime

import pytest
from cli.roll import verify
from directory_view import Bitmap
from errors import Invalid
from news.adapters.roll_key import RollKey
from news.domain import roll
from news.domain.content import Content
from news.domain.post import Live
from news.domain.text import Variant

AT = datetime(2026, 11, 26, 15, tzinfo=UTC)
KEY = RollKey(bytes(32))
PUBLIC = base64.b64encode(KEY.public_key).decode()


def signed() -> bytes:
    live = Live(Content(variants=(Variant.of("pt", "Olá", "texto"),), audience="all"), Bitmap([1, 2]), AT, 3)
    lines = [
        roll.head("p1", "e01", live, 2, 1, AT, KEY.public_key),
        roll.line("ana", "e01", "u1", (AT, "rui")),
        roll.line("eva", "e02", "u2", None),
    ]
    return b"".join([*lines, roll.signature(KEY.sign(lines))])


def test_a_roll_verifies_without_the_service(tmp_path):
    path = tmp_path / "roll"
    path.write_bytes(signed())
    found = verify(path, PUBLIC)
    assert (found.post["post"], found.post["version"], found.post["acknowledged"]) == ("p1", 3, 1)
    assert found.people == [
        {"person": "ana", "entity": "e01", "unit": "u1", "acknowledged": AT.isoformat(), "delegate": "rui"},
        {"person": "eva", "entity": "e02", "unit": "u2"},
    ]


def test_every_changed_byte_is_found(tmp_path):
    path = tmp_path / "roll"
    good = signed()
    for at in range(0, len(good), 7):
        changed = bytearray(good)
        changed[at] ^= 1
        path.write_bytes(changed)
        with pytest.raises(Invalid):
            verify(path, PUBLIC)
    lines = good.splitlines(keepends=True)
    for forged in (b"".join(lines[:1] + lines[2:]), b"".join(lines[:-1]), b"", b"x", good + b"\n"):
        path.write_bytes(forged)
        with pytest.raises(Invalid):
            verify(path, PUBLIC)


def test_another_key_signed_it(tmp_path):
    path = tmp_path / "roll"
    path.write_bytes(signed())
    with pytest.raises(Invalid) as told:
        verify(path, base64.b64encode(RollKey(bytes([1]) * 32).public_key).decode())
    assert told.value.reason == "ROLL_FORGED"
