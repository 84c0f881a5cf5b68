"""The public keys of a token issuer (JSON Web Key Set, RFC 7517), read from a file or a URL."""

import asyncio
import json
import ssl
import time
import urllib.request
from pathlib import Path
from typing import Any

import jwt
import telemetry
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

log = telemetry.logger(__name__)

_ALGORITHMS = {("OKP", "Ed25519"): "EdDSA", ("EC", "P-256"): "ES256", ("RSA", None): "RS256"}
"""The one algorithm that each kind of key is used with; a token does not choose."""
_LARGEST = 1 << 20
_TIMEOUT = 5.0
_PAUSE = 10.0
"""Seconds between two reads that unknown key ids may cause."""
_OLDEST = 86_400.0
"""Seconds after which keys that could not be read again are trusted no more."""


class KeySet:
    """The keys of one issuer by their ids.

    Args:
        source: an http(s) URL or the path of a file.
        authority: who signed the certificate of the URL's server, in PEM; None: one that the machine trusts.
        token_file: the bearer token that the server wants to see, if any.
    """

    def __init__(self, source: str, *, authority: Path | None = None, token_file: Path | None = None) -> None:
        self._source = source
        self._authority = authority
        self._token_file = token_file
        self._keys: dict[str, jwt.PyJWK] = {}
        self._content = b""
        self._read_at = float("-inf")
        self._tried_at = float("-inf")
        self._reading = asyncio.Lock()

    def get(self, key_id: str) -> jwt.PyJWK | None:
        return self._keys.get(key_id)

    def trouble(self) -> str | None:
        """Says why there are no keys to trust; None when there are."""
        if not self._keys:
            return "the keys of the token issuer were not read yet"
        if time.monotonic() - self._read_at > _OLDEST:
            return "the keys of the token issuer could not be read for a day"
        return None

    async def refresh(self, wanted: str = "") -> bool:
        """Reads the keys again and returns whether they have changed; a failure keeps what is there.

        Args:
            wanted: a key id that is missing: nothing is read when it has come meanwhile, or when
                another one was missed a moment ago.
        """
        async with self._reading:
            if wanted and (wanted in self._keys or time.monotonic() - self._tried_at < _PAUSE):
                return False
            self._tried_at = time.monotonic()
            try:
                content = await asyncio.to_thread(self._fetch)
                changed = content != self._content
                if changed:
                    self._keys = _parse(content)
                    self._content = content
                self._read_at = time.monotonic()
            except (OSError, ValueError) as error:
                log.warning("token keys not read", error_type=type(error).__name__, source=self._source)
                return False
        return changed

    def _fetch(self) -> bytes:
        if not self._source.startswith(("http://", "https://")):
            return Path(self._source).read_bytes()
        request = urllib.request.Request(self._source)  # noqa: S310 - http(s) only, above
        if self._token_file is not None:
            request.add_header("Authorization", f"Bearer {self._token_file.read_text().strip()}")
        trust = ssl.create_default_context(cafile=self._authority) if self._authority else None
        with urllib.request.urlopen(request, timeout=_TIMEOUT, context=trust) as answer:  # noqa: S310
            content: bytes = answer.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise ValueError("a key set of more than 1 MiB")
        return content


def _parse(content: bytes) -> dict[str, jwt.PyJWK]:
    """Returns the keys that can be used; others, such as those for encryption, are left out.

    Raises:
        ValueError: it is no key set, or holds no usable key.
    """
    document = json.loads(content)
    listed = document.get("keys") if isinstance(document, dict) else None
    keys = {
        entry["kid"]: key
        for entry in (listed if isinstance(listed, list) else ())
        if isinstance(entry, dict) and isinstance(entry.get("kid"), str) and (key := _key(entry)) is not None
    }
    if not keys:
        raise ValueError("no usable key in the key set")
    return keys


def _key(entry: dict[str, Any]) -> jwt.PyJWK | None:
    algorithm = _ALGORITHMS.get((entry.get("kty", ""), entry.get("crv")))
    if algorithm is None or entry.get("use", "sig") != "sig" or entry.get("alg", algorithm) != algorithm:
        return None
    try:
        key = jwt.PyJWK(entry, algorithm=algorithm)
    except jwt.PyJWTError:
        return None
    return None if isinstance(key.key, RSAPublicKey) and key.key.key_size < 2048 else key
