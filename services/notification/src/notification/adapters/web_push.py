"""Web push: encrypted for one device (RFC 8291, RFC 8188), sent in our name (RFC 8292, VAPID)."""

import base64
import hashlib
import hmac
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from errors import Invalid

_CURVE: Final = ec.SECP256R1()
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_POINT: Final = 65
_RECORD: Final = 4096
# What a record holds beside the content: its end and the tag; push services take 4,096 octets in all.
_MOST_CONTENT: Final = 3000
_VALID_SECONDS: Final = 12 * 3600


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a browser gives: where to post, its public key and its secret, as they are in JSON."""

    endpoint: str = field(repr=False)
    p256dh: str = field(repr=False)
    auth: str = field(repr=False)

    def must_be_sound(self) -> None:
        """Raises Invalid for keys that are none."""
        try:
            ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, decoded(self.p256dh))
            sound = len(decoded(self.auth)) == 16
        except ValueError as error:
            raise Invalid("the subscription has no key of its kind", reason="SUBSCRIPTION_MALFORMED") from error
        if not sound:
            raise Invalid("the subscription's secret has 16 octets", reason="SUBSCRIPTION_MALFORMED")


def encrypt(content: bytes, to: Subscription, random: Callable[[int], bytes]) -> bytes:
    """One record of `aes128gcm`; raises Invalid for content that a push service does not take."""
    if len(content) > _MOST_CONTENT:
        raise Invalid("a push holds 3,000 octets at most", reason="PUSH_TOO_LONG")
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, decoded(to.p256dh))
    ours = ec.derive_private_key(int.from_bytes(random(32)) % (_ORDER - 1) + 1, _CURVE)
    salt, point = random(16), _encoded_point(ours)
    info = b"WebPush: info\0" + decoded(to.p256dh) + point
    secret = HKDF(hashes.SHA256(), 32, decoded(to.auth), info).derive(ours.exchange(ec.ECDH(), theirs))
    mixed = hmac.digest(salt, secret, hashlib.sha256)
    key = HKDFExpand(hashes.SHA256(), 16, b"Content-Encoding: aes128gcm\0").derive(mixed)
    nonce = HKDFExpand(hashes.SHA256(), 12, b"Content-Encoding: nonce\0").derive(mixed)
    header = salt + struct.pack(">IB", _RECORD, _POINT) + point
    return header + AESGCM(key).encrypt(nonce, content + b"\x02", None)


class Vapid:
    """Our name at push services; the key follows from the master key."""

    def __init__(self, master: bytes, contact: str) -> None:
        seed = hmac.digest(master, b"rossio.notification.vapid", hashlib.sha256)
        self._key = ec.derive_private_key(int.from_bytes(seed) % (_ORDER - 1) + 1, _CURVE)
        self._contact = contact

    @property
    def public_key(self) -> str:
        """What a browser is told when it subscribes (applicationServerKey)."""
        return encoded(_encoded_point(self._key))

    def authorization(self, endpoint: str, at: datetime) -> str:
        """The header for a post to an endpoint."""
        parts = urlsplit(endpoint)
        claims = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": int(at.timestamp()) + _VALID_SECONDS,
            "sub": self._contact,
        }
        head = encoded(json.dumps({"typ": "JWT", "alg": "ES256"}).encode())
        signed = f"{head}.{encoded(json.dumps(claims).encode())}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"vapid t={signed}.{encoded(r.to_bytes(32) + s.to_bytes(32))}, k={self.public_key}"


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """Raises ValueError for what is no base64url."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _encoded_point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
