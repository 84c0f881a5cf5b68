"""Which tokens are accepted, and what happens when the keys change or are away."""

import base64
import hashlib
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import rpc
from errors import Transient, Unauthenticated
from jwt.warnings import InsecureKeyLengthWarning
from rpc import keys


@pytest.fixture
async def verifier(issuer):
    made = issuer.verifier()
    await made.start()
    yield made
    await made.stop()


async def refused(verifier, token):
    with pytest.raises(Unauthenticated) as caught:
        await verifier.verify(token)
    assert verifier.known(token) is None
    return caught.value.reason


def forged(header, claims, secret=b""):
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    signature = hmac.new(secret, b".".join(parts), hashlib.sha256).digest() if secret else b""
    return b".".join([*parts, base64.urlsafe_b64encode(signature).rstrip(b"=")]).decode()


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256", "RS256"])
async def test_a_token_of_each_pinned_algorithm_is_accepted_and_remembered(issuer, algorithm):
    issuer.publish(issuer.make("k2", algorithm), "k1")
    verifier = issuer.verifier()
    await verifier.start()
    token = issuer.token("p1", roles=["news.editor"], kid="k2")
    assert verifier.known(token) is None
    caller = await verifier.verify(token)
    assert caller == rpc.Caller("p1", "person", "e01", frozenset({"news.editor"}))
    assert verifier.known(token) is caller
    await verifier.stop()


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ({"ttl": -600}, "TOKEN_EXPIRED"),
        ({"aud": "other"}, "TOKEN_INVALID"),
        ({"iss": "https://other.test"}, "TOKEN_INVALID"),
        ({"nbf": time.time() + 3600}, "TOKEN_INVALID"),
        ({"without": ["exp"]}, "TOKEN_INVALID"),
        ({"without": ["aud"]}, "TOKEN_INVALID"),
        ({"without": ["iss"]}, "TOKEN_INVALID"),
        ({"without": ["sub"]}, "TOKEN_INVALID"),
        ({"without": ["kind"]}, "TOKEN_INVALID"),
        ({"without": ["entity"]}, "TOKEN_INVALID"),
        ({"subject": ""}, "TOKEN_INVALID"),
        ({"kind": "admin"}, "TOKEN_INVALID"),
        ({"entity": ["e01"]}, "TOKEN_INVALID"),
        ({"roles": [1]}, "TOKEN_INVALID"),
        ({"claims_roles": True}, "TOKEN_INVALID"),
    ],
)
async def test_any_other_claim_is_refused(issuer, verifier, token, reason):
    if token.pop("claims_roles", False):
        made = issuer.token(without=["roles"], groups=["x"])
        assert (await verifier.verify(made)).roles == frozenset()
        return
    assert await refused(verifier, issuer.token(**token)) == reason


async def test_no_token_is_refused(verifier):
    assert await refused(verifier, "") == "TOKEN_MISSING"


async def test_garbage_is_refused(verifier, issuer):
    good = issuer.token()
    for token in ("x", "a.b.c", good[:-3], good + "x", good.replace(".", "!", 1), "é" * 20, "x" * 100_000):
        assert await refused(verifier, token) == "TOKEN_INVALID"


async def test_a_signature_by_another_key_is_refused(verifier, issuer):
    before = issuer.keys["k1"]
    issuer.make("k1")
    token = issuer.token()
    issuer.keys["k1"] = before
    assert await refused(verifier, token) == "TOKEN_INVALID"


async def test_a_token_does_not_choose_its_algorithm(issuer):
    issuer.publish(issuer.make("rsa", "RS256"), "k1")
    verifier = issuer.verifier()
    await verifier.start()
    claims: dict[str, Any] = {"iss": "https://issuer.test", "aud": "rossio-test", "sub": "p1", "kind": "person"}
    claims |= {"entity": "e01", "exp": time.time() + 600}
    public = json.loads(issuer.document("rsa"))["keys"][0]
    for secret in (public["n"].encode(), json.dumps(public).encode()):
        assert await refused(verifier, forged({"alg": "HS256", "kid": "rsa"}, claims, secret)) == "TOKEN_INVALID"
    for algorithm in ("none", "None", "", "RS256", "EdDSA"):
        assert await refused(verifier, forged({"alg": algorithm, "kid": "rsa"}, claims)) == "TOKEN_INVALID"
    assert await refused(verifier, forged({"alg": "RS256"}, claims)) == "TOKEN_INVALID"
    assert await refused(verifier, forged({"alg": "RS256", "kid": ["rsa"]}, claims)) == "TOKEN_INVALID"
    await verifier.stop()


async def test_weak_and_foreign_keys_are_left_out(issuer):
    issuer.make("weak", "RS256", bits=1024)
    issuer.publish("weak")
    document = json.loads(issuer.document("k1", "weak"))
    symmetric = {"kty": "oct", "kid": "oct", "k": base64.urlsafe_b64encode(b"x" * 32).decode()}
    for_encryption = {**document["keys"][0], "kid": "enc", "use": "enc"}
    issuer.jwks.write_text(json.dumps({"keys": [*document["keys"], symmetric, for_encryption, "x", {"kid": 3}]}))
    verifier = issuer.verifier()
    await verifier.start()
    assert (await verifier.verify(issuer.token())).subject == "p1"
    with pytest.warns(InsecureKeyLengthWarning):
        weakly_signed = issuer.token(kid="weak")
    assert await refused(verifier, weakly_signed) == "TOKEN_INVALID"
    assert await refused(verifier, forged({"alg": "HS256", "kid": "oct"}, {"sub": "p1"}, b"x" * 32)) == "TOKEN_INVALID"
    await verifier.stop()


async def test_a_remembered_token_expires(verifier, issuer, monkeypatch):
    token = issuer.token(ttl=600)
    await verifier.verify(token)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 599)
    assert verifier.known(token) is not None
    monkeypatch.setattr(time, "time", lambda: now + 606)
    assert verifier.known(token) is None


async def test_a_citizen_has_no_entity(verifier, issuer):
    caller = await verifier.verify(issuer.token("c1", kind="citizen", entity="e01"))
    assert caller.entity_id == ""
    assert not caller.may_act_for("e01")


async def test_no_keys_means_nobody_comes_in_until_they_are_there(issuer, monkeypatch):
    monkeypatch.setattr(keys, "_PAUSE", 0.0)
    document = issuer.jwks.read_text()
    issuer.jwks.unlink()
    verifier = issuer.verifier()
    await verifier.start()
    assert verifier.trouble() is not None
    for content in (None, "", "[]", "{}", '{"keys": []}', '{"keys": 3}', "\x00"):
        if content is not None:
            issuer.jwks.write_text(content)
        with pytest.raises(Transient) as caught:
            await verifier.verify(issuer.token())
        assert caught.value.reason == "KEYS_UNAVAILABLE"
    issuer.jwks.write_text(document)
    assert (await verifier.verify(issuer.token())).subject == "p1"
    assert verifier.trouble() is None
    await verifier.stop()


async def test_keys_that_are_lost_later_are_kept_for_a_day(verifier, issuer, monkeypatch):
    issuer.jwks.unlink()
    await verifier._refresh()
    assert (await verifier.verify(issuer.token())).subject == "p1"
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 90_000)
    with pytest.raises(Transient):
        await verifier.verify(issuer.token("p2"))


async def test_a_withdrawn_key_ends_what_it_has_signed(verifier, issuer):
    token = issuer.token()
    await verifier.verify(token)
    issuer.publish(issuer.make("k2"))
    await verifier._refresh()
    assert verifier.known(token) is None
    assert await refused(verifier, token) == "TOKEN_INVALID"
    assert (await verifier.verify(issuer.token(kid="k2"))).subject == "p1"


@pytest.fixture
def jwks_server():
    """A server of one document, which counts how often it was asked."""
    state: dict[str, Any] = {"document": "", "asked": 0}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            state["asked"] += 1
            self.send_response(200)
            self.end_headers()
            self.wfile.write(state["document"].encode())

        def log_message(self, format, *args):  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    state["url"] = f"http://127.0.0.1:{server.server_port}/keys"
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


async def test_an_unknown_key_is_looked_for_once_and_not_again_soon(issuer, jwks_server, monkeypatch):
    jwks_server["document"] = issuer.document("k1")
    verifier = rpc.Verifier(jwks_server["url"], "https://issuer.test", "rossio-test")
    await verifier.start()
    assert (await verifier.verify(issuer.token())).subject == "p1"
    assert jwks_server["asked"] == 1
    issuer.make("k2")
    jwks_server["document"] = issuer.document()
    monkeypatch.setattr(keys, "_PAUSE", 0.0)
    assert (await verifier.verify(issuer.token(kid="k2"))).subject == "p1"
    assert jwks_server["asked"] == 2
    monkeypatch.setattr(keys, "_PAUSE", 60.0)
    issuer.make("k3")
    for _ in range(20):
        assert await refused(verifier, issuer.token(kid="k3")) == "TOKEN_INVALID"
    assert jwks_server["asked"] == 2
    await verifier.stop()


async def test_an_oversized_key_set_is_refused(issuer, jwks_server):
    jwks_server["document"] = issuer.document("k1") + " " * (1 << 20)
    verifier = rpc.Verifier(jwks_server["url"], "https://issuer.test", "rossio-test")
    await verifier.start()
    assert verifier.trouble() is not None
    await verifier.stop()


async def test_what_is_remembered_is_bounded(verifier, issuer, monkeypatch):
    monkeypatch.setattr("rpc.verifier._CACHED", 3)
    tokens = [issuer.token(f"p{number}") for number in range(5)]
    for token in tokens:
        await verifier.verify(token)
    assert [verifier.known(token) is not None for token in tokens] == [False, False, True, True, True]


SUBJECTS = "system:serviceaccount:rossio:rossio-"


@pytest.fixture
async def beside_a_cluster(issuer, tmp_path):
    """A verifier that trusts a cluster beside the issuer, and what signs the cluster's tokens."""
    cluster = type(issuer)(tmp_path / "cluster.json")
    cluster.make("c1")
    cluster.publish()
    trusted = rpc.Cluster(issuer="https://cluster.test", jwks=str(cluster.jwks), subjects=SUBJECTS)
    verifier = issuer.verifier(cluster=trusted)
    await verifier.start()
    yield verifier, cluster
    await verifier.stop()


async def test_a_service_account_of_the_cluster_is_a_service_without_roles(beside_a_cluster):
    verifier, cluster = beside_a_cluster
    claimed = {"iss": "https://cluster.test", "kid": "c1", "kind": "person", "roles": ["ministry.admin"]}
    caller = await verifier.verify(cluster.token(f"{SUBJECTS}notification", **claimed))
    assert caller == rpc.Caller("notification", "service", "", frozenset())


@pytest.mark.parametrize(
    "claims",
    [
        {"subject": "system:serviceaccount:other:rossio-notification", "iss": "https://cluster.test"},
        {"subject": SUBJECTS, "iss": "https://cluster.test"},
        {"subject": "p1"},  # the cluster's key does not sign for the issuer of people
        {"subject": f"{SUBJECTS}notification", "iss": "https://cluster.test", "aud": "https://kubernetes.default.svc"},
    ],
)
async def test_what_is_no_account_of_the_suite_or_for_somebody_else_is_refused(beside_a_cluster, claims):
    verifier, cluster = beside_a_cluster
    assert await refused(verifier, cluster.token(kid="c1", **claims)) == "TOKEN_INVALID"


async def test_people_are_known_beside_a_cluster_as_before(beside_a_cluster, issuer):
    verifier, _ = beside_a_cluster
    assert (await verifier.verify(issuer.token("p1"))).subject == "p1"
    assert (
        await refused(verifier, issuer.token(f"{SUBJECTS}notification", iss="https://cluster.test")) == "TOKEN_INVALID"
    )
