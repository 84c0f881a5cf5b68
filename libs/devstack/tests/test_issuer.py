"""Tokens verify against the key file alone, and only while they should."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from devstack.issuer import AUDIENCE, NAME, Issuer


def _verified(token: str, jwks: Path) -> dict[str, Any]:
    keys = jwt.PyJWKSet.from_json(jwks.read_text())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(token, key, algorithms=["EdDSA"], audience=AUDIENCE, issuer=NAME)


def test_a_token_carries_what_the_services_ask_for(issuer: Issuer) -> None:
    token = issuer.token("p1", kind="person", entity="e01", roles={"prescriber", "directory.admin"})
    claims = _verified(token, issuer.jwks)
    expected = {"sub": "p1", "kind": "person", "entity": "e01", "roles": ["directory.admin", "prescriber"]}
    assert {name: claims[name] for name in expected} == expected
    assert claims["exp"] - claims["iat"] == 3600


def test_an_expired_token_is_refused(issuer: Issuer) -> None:
    with pytest.raises(jwt.ExpiredSignatureError):
        _verified(issuer.token("p1", ttl=timedelta(seconds=-1)), issuer.jwks)


def test_a_token_for_another_audience_is_refused(issuer: Issuer) -> None:
    with pytest.raises(jwt.InvalidAudienceError):
        _verified(issuer.token("p1", audience="elsewhere"), issuer.jwks)


def test_a_token_of_another_issuer_does_not_verify(issuer: Issuer, tmp_path: Path) -> None:
    stranger = Issuer(tmp_path)
    with pytest.raises(KeyError):
        _verified(stranger.token("p1"), issuer.jwks)


def test_the_key_outlives_the_process_and_stays_private(tmp_path: Path) -> None:
    token = Issuer(tmp_path).token("p1")
    again = Issuer(tmp_path)
    assert _verified(token, again.jwks)["sub"] == "p1"
    assert (tmp_path / "issuer.pem").stat().st_mode & 0o077 == 0
    assert "d" not in json.loads(again.jwks.read_text())["keys"][0]
