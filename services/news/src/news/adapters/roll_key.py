"""The key that signs rolls: Ed25519 (RFC 8032)."""

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class RollKey:
    """Made from a seed of 32 bytes, the same in all processes."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public_key(self) -> bytes:
        return self._key.public_key().public_bytes_raw()

    def sign(self, content: Sequence[bytes]) -> bytes:
        return self._key.sign(b"".join(content))
