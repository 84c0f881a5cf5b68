"""Verifies the roll of a post without the suite, sharing no code with the service that signs it.

The form stands in services/news/README.md: JSON lines, of which the last holds the Ed25519 signature
(RFC 8032) over all bytes before it. Public keys travel as a JWK set (RFC 7517, RFC 8037).
"""

import base64
import binascii
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from errors import Invalid

_KIND = {"kty": "OKP", "crv": "Ed25519"}


@dataclass(frozen=True, slots=True)
class Roll:
    """A roll that holds: what it says about the post, and about each person."""

    post: dict[str, Any]
    people: list[dict[str, Any]]


def verify(path: Path, keys: Sequence[bytes]) -> Roll:
    """Checks the file against the public keys that its issuer has made known.

    Raises:
        Invalid: a byte of it is another than was signed, none of the keys signed it, or its counts do not hold.
    """
    lines = path.read_bytes().splitlines(keepends=True)
    try:
        signature = base64.b64decode(json.loads(lines[-1])["signature"], validate=True)
    except (ValueError, KeyError, TypeError, IndexError):
        raise Invalid("that is no signed roll", reason="ROLL_UNREADABLE") from None
    if not any(_signed(key, signature, b"".join(lines[:-1])) for key in keys):
        raise Invalid("the roll was changed, or another key signed it", reason="ROLL_FORGED")
    post, *people = map(json.loads, lines[:-1])
    acknowledged = sum("acknowledged" in person for person in people)
    if (post["readers"], post["acknowledged"]) != (len(people), acknowledged):
        raise Invalid("the counts of the roll do not hold", reason="ROLL_COUNTS")
    return Roll(post, people)


def key_of(text: str) -> bytes:
    """A public key from its base64 form; raises Invalid for what is none."""
    try:
        return _checked(base64.b64decode(text, validate=True))
    except binascii.Error:
        raise _no_key() from None


def keys_of_set(text: str) -> list[bytes]:
    """The Ed25519 keys of a JWK set; raises Invalid for what is none, or holds no such key."""
    try:
        listed = [each for each in json.loads(text)["keys"] if _KIND.items() <= each.items()]
        keys = [_checked(base64.urlsafe_b64decode(each["x"] + "=" * (-len(each["x"]) % 4))) for each in listed]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _no_key() from None
    if not keys:
        raise _no_key()
    return keys


def key_set(keys: Iterable[bytes]) -> str:
    """The reverse of `keys_of_set`."""
    encoded = (base64.urlsafe_b64encode(key).rstrip(b"=").decode() for key in keys)
    return json.dumps({"keys": [{**_KIND, "x": each, "use": "sig", "alg": "EdDSA"} for each in encoded]}, indent=1)


def _signed(key: bytes, signature: bytes, content: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, content)
    except InvalidSignature:
        return False
    return True


def _checked(key: bytes) -> bytes:
    if len(key) != 32:
        raise _no_key()
    return key


def _no_key() -> Invalid:
    return Invalid("that is no Ed25519 public key", reason="ROLL_KEY")
