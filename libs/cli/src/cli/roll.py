"""Verifies the roll of a post without the suite, sharing no code with the service that signs it.

The form stands in services/news/README.md: JSON lines, of which the last holds the Ed25519 signature
(RFC 8032) over all bytes before it.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from errors import Invalid


@dataclass(frozen=True, slots=True)
class Roll:
    """A roll that holds: what it says about the post, and about each person."""

    post: dict[str, Any]
    people: list[dict[str, Any]]


def verify(path: Path, key: str) -> Roll:
    """Checks the file against the key, base64, that its issuer has made known.

    Raises:
        Invalid: a byte of it is another than was signed, another key signed it, or its counts do not hold.
    """
    lines = path.read_bytes().splitlines(keepends=True)
    try:
        signature = base64.b64decode(json.loads(lines[-1])["signature"], validate=True)
        Ed25519PublicKey.from_public_bytes(base64.b64decode(key, validate=True)).verify(signature, b"".join(lines[:-1]))
    except InvalidSignature:
        raise Invalid("the roll was changed, or another key signed it", reason="ROLL_FORGED") from None
    except (ValueError, KeyError, TypeError, IndexError, binascii.Error):
        raise Invalid("that is no signed roll, or no key", reason="ROLL_UNREADABLE") from None
    post, *people = map(json.loads, lines[:-1])
    acknowledged = sum("acknowledged" in person for person in people)
    if (post["readers"], post["acknowledged"]) != (len(people), acknowledged):
        raise Invalid("the counts of the roll do not hold", reason="ROLL_COUNTS")
    return Roll(post, people)
