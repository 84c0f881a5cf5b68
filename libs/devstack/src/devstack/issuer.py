"""A token issuer for development and tests: an Ed25519 key, its public half as a JWKS file, and tokens.

In production the tokens come from any OIDC issuer; services know one by its name and keys alone.
"""

import base64
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

Kind = Literal["person", "citizen", "service"]

NAME: Final = "https://issuer.rossio.test"
AUDIENCE: Final = "rossio"


class Issuer:
    """Signs tokens with the key in `folder`, which is made when it is not there."""

    def __init__(self, folder: Path, *, name: str = NAME) -> None:
        self.name = name
        self.jwks = folder / "jwks.json"
        folder.mkdir(parents=True, exist_ok=True)
        self._key = _key(folder / "issuer.pem")
        public = OKPAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        self._key_id = _thumbprint(public)
        self.jwks.write_text(json.dumps({"keys": [{**public, "use": "sig", "alg": "EdDSA", "kid": self._key_id}]}))

    def token(
        self,
        subject: str,
        *,
        kind: Kind = "person",
        entity: str = "",
        roles: Iterable[str] = (),
        ttl: timedelta = timedelta(hours=1),
        audience: str = AUDIENCE,
        now: datetime | None = None,
    ) -> str:
        """A signed token; a negative `ttl` gives one that has expired, `now` is the time of issue (UTC)."""
        issued = now or datetime.now(UTC)
        claims = {
            "iss": self.name,
            "aud": audience,
            "sub": subject,
            "kind": kind,
            "entity": entity,
            "roles": sorted(roles),
            "iat": issued,
            "exp": issued + ttl,
        }
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": self._key_id})


def _key(path: Path) -> Ed25519PrivateKey:
    if path.exists():
        kept = serialization.load_pem_private_key(path.read_bytes(), password=None)
        assert isinstance(kept, Ed25519PrivateKey), f"{path} is no Ed25519 key"
        return kept
    key = Ed25519PrivateKey.generate()
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.private_bytes(*form))
    return key


def _thumbprint(public: Mapping[str, Any]) -> str:
    """The key's name: its JWK thumbprint (RFC 7638)."""
    required = {name: public[name] for name in ("crv", "kty", "x")}
    digest = hashlib.sha256(json.dumps(required, separators=(",", ":"), sort_keys=True).encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
