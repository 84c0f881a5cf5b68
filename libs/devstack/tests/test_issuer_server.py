"""The keys that a development issuer shows in a cluster are those with which its tokens are signed."""

import http.client
import json
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

import jwt
from devstack.issuer import AUDIENCE, NAME, Issuer
from devstack.issuer_server import handler, public_keys


def test_it_shows_the_public_half_of_its_key_and_nothing_else(tmp_path: Path) -> None:
    issuer = Issuer(tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(public_keys(tmp_path / "issuer.pem")))
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def get(path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
        connection.request("GET", path)
        answer = connection.getresponse()
        said = answer.status, answer.read()
        connection.close()
        return said

    status, keys = get("/jwks.json")
    assert status == 200
    key = jwt.PyJWK(json.loads(keys)["keys"][0])
    claims = jwt.decode(issuer.token("p1"), key, algorithms=["EdDSA"], audience=AUDIENCE, issuer=NAME)
    assert claims["sub"] == "p1"
    assert get("/issuer.pem") == (404, b"")
    server.shutdown()
    server.server_close()
