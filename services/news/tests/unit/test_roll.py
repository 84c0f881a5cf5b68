"""The roll that the service signs, held against the verifier that shares no code with it."""

import base64
import json
from datetime import UTC, datetime

import pytest
from cli.roll import key_of, key_set, keys_of_set, verify
from directory_view import Bitmap
from errors import Invalid
from news.adapters.roll_key import RollKey, public_key, thumbprint
from news.domain import roll
from news.domain.content import Content
from news.domain.post import Live
from news.domain.text import Variant

AT = datetime(2026, 11, 26, 15, tzinfo=UTC)
KEY = RollKey(bytes(32))
PUBLIC = [KEY.public_key]
OTHER = RollKey(bytes([1]) * 32).public_key


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
    for keys in ([OTHER], []):
        with pytest.raises(Invalid) as told:
            verify(path, keys)
        assert told.value.reason == "ROLL_FORGED"
    assert verify(path, [OTHER, KEY.public_key]), "a key that came after it"


def test_public_keys_travel_as_a_jwk_set_and_in_base64():
    keys = [KEY.public_key, OTHER]
    jwks = json.loads(key_set(keys))
    assert [each["kty"] + each["crv"] for each in jwks["keys"]] == ["OKPEd25519"] * 2
    assert keys_of_set(key_set(keys)) == keys
    rsa = {"kty": "RSA", "n": "x", "e": "AQAB"}
    assert keys_of_set(json.dumps({"keys": [rsa, *jwks["keys"]]})) == keys, "other kinds are passed over"
    assert key_of(base64.b64encode(OTHER).decode()) == public_key(base64.b64encode(OTHER).decode()) == OTHER
    for wrong in ("", "x", "[]", '{"keys": []}', '{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA"}]}'):
        for read in (key_of, keys_of_set, public_key):
            with pytest.raises(Invalid) as told:
                read(wrong)
            assert told.value.reason == "ROLL_KEY"


def test_a_key_is_named_by_its_thumbprint():
    # RFC 8037, appendix A.3.
    x = base64.urlsafe_b64decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    assert thumbprint(x) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
