"""`python -m devstack.issuer_server`: shows the public keys of a development issuer at /jwks.json, and nothing else.

For clusters: the key comes from a secret, so that whoever may read that signs tokens beside it.
"""

import argparse
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

from devstack.issuer import Issuer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--key", type=Path, required=True, help="an Ed25519 key in PEM")
    told = parser.parse_args()
    ThreadingHTTPServer(("", told.port), handler(public_keys(told.key))).serve_forever()


def public_keys(key: Path) -> bytes:
    """The key set (RFC 7517) of the key in a file."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "issuer.pem").write_bytes(key.read_bytes())
        return Issuer(Path(folder)).jwks.read_bytes()


def handler(keys: bytes) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            there = self.path == "/jwks.json"
            self.send_response(HTTPStatus.OK if there else HTTPStatus.NOT_FOUND)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(keys) if there else 0))
            self.end_headers()
            if there:
                self.wfile.write(keys)

    return Handler


if __name__ == "__main__":
    main()
