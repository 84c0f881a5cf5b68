"""The key that signs rolls: Ed25519 (RFC 8032)."""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from errors import Invalid


class RollKey:
    """Made from a seed of 32 bytes, the same in all processes; `earlier` are the public keys before it."""

    def __init__(self, seed: bytes, earlier: Sequence[bytes] = ()) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.earlier = tuple(earlier)

    @property
    def public_key(self) -> bytes:
        return self._key.public_key().public_bytes_raw()

    def sign(self, content: Sequence[bytes]) -> bytes:
        return self._key.sign(b"".join(content))


def public_key(text: str) -> bytes:
    """A public key from its base64 form; Invalid when it is not 32 bytes."""
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != 32:
        raise Invalid("an Ed25519 public key is 32 bytes in base64", reason="ROLL_KEY")
    return key


def thumbprint(key: bytes) -> str:
    """The name of a public key (RFC 7638 over the JWK of RFC 8037)."""
    jwk = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(key)}
    return _base64url(hashlib.sha256(json.dumps(jwk, separators=(",", ":")).encode()).digest())


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
