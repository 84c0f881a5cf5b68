"""Web push as browsers take it: decrypted by another implementation, and the signature checked by its public key."""

import base64
import json
import os
from datetime import UTC, datetime

import http_ece
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from errors import Invalid
from hypothesis import given
from hypothesis import strategies as st
from notification.adapters.outbound import must_be_outside
from notification.adapters.web_push import Subscription, Vapid, decoded, encoded, encrypt

AT = datetime(2026, 11, 26, 12, tzinfo=UTC)
BROWSER = ec.generate_private_key(ec.SECP256R1())
POINT = BROWSER.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
AUTH = os.urandom(16)
SUBSCRIPTION = Subscription("https://push.example:8443/send/abc", encoded(POINT), encoded(AUTH))


@given(st.binary(max_size=3000))
def test_another_implementation_reads_what_we_encrypt(content):
    sealed = encrypt(content, SUBSCRIPTION, os.urandom)
    assert http_ece.decrypt(sealed, private_key=BROWSER, auth_secret=AUTH, version="aes128gcm") == content
    assert len(sealed) <= 4096
    assert encrypt(content, SUBSCRIPTION, os.urandom) != sealed


def test_the_example_of_rfc_8291_comes_out_as_it_stands_there():
    """Appendix A: the same keys and salt give the same octets."""
    private = decoded("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")
    salt = decoded("DGv6ra1nlYgDCS1FRnbzlw")
    to = Subscription(
        "https://push.example.net/x",
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "BTBZMqHH6r4Tts7J_aSIgg",
    )
    given_ = {32: (int.from_bytes(private) - 1).to_bytes(32), 16: salt}
    sealed = encrypt(b"When I grow up, I want to be a watermelon", to, given_.__getitem__)
    assert encoded(sealed) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6Tlz"
        "AC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


def test_our_name_is_signed_for_the_push_service_and_for_a_while():
    vapid = Vapid(bytes(32), "mailto:a@b.test")
    scheme, _, rest = vapid.authorization(SUBSCRIPTION.endpoint, AT).partition(" ")
    parts = dict(each.strip().split("=", 1) for each in rest.split(","))
    assert (scheme, parts["k"]) == ("vapid", vapid.public_key)
    head, claims, signature = parts["t"].split(".")
    raw = decoded(signature)
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(parts["k"]))
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    public.verify(der, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
    said = json.loads(decoded(claims))
    assert (said["aud"], said["sub"]) == ("https://push.example:8443", "mailto:a@b.test")
    assert 0 < said["exp"] - AT.timestamp() <= 24 * 3600
    assert Vapid(bytes(32), "").public_key == vapid.public_key, "it follows from the master key"


def test_what_is_too_long_or_no_subscription_is_refused():
    with pytest.raises(Invalid):
        encrypt(bytes(3001), SUBSCRIPTION, os.urandom)
    SUBSCRIPTION.must_be_sound()
    for p256dh, auth in (("x", encoded(AUTH)), (encoded(b"\x04" + bytes(64)), encoded(AUTH)), (encoded(POINT), "AA")):
        with pytest.raises(Invalid) as told:
            Subscription("https://push.example", p256dh, auth).must_be_sound()
        assert told.value.reason == "SUBSCRIPTION_MALFORMED"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://example.com/", "URL_MALFORMED"),
        ("ftp://example.com/", "URL_MALFORMED"),
        ("https://user:pw@example.com/", "URL_MALFORMED"),
        ("https://[::1/", "URL_MALFORMED"),
        ("https://127.0.0.1/", "URL_PRIVATE"),
        ("https://169.254.169.254/latest", "URL_PRIVATE"),
        ("https://[fd00::1]/", "URL_PRIVATE"),
        ("https://10.1.2.3:8443/", "URL_PRIVATE"),
    ],
)
def test_nobody_makes_us_post_into_private_networks(url, reason):
    with pytest.raises(Invalid) as told:
        must_be_outside(url, private=False)
    assert told.value.reason == reason
    must_be_outside("https://push.example.com/x", private=False)
    must_be_outside("http://127.0.0.1:1/x", private=True)


def test_base64_is_that_of_urls():
    assert decoded(encoded(b"\xff\xfe")) == b"\xff\xfe"
    assert encoded(b"\xff\xfe") == base64.urlsafe_b64encode(b"\xff\xfe").decode().rstrip("=")
