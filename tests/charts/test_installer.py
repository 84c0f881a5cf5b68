"""What helm says to an installer whose rights end at a namespace, against the little of an API server that it asks."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.conftest import VALUES

SECRETS = {"name": "secrets", "singularName": "secret", "namespaced": True, "kind": "Secret", "verbs": ["get", "list"]}
NAMESPACES = {"name": "namespaces", "singularName": "", "namespaced": False, "kind": "Namespace", "verbs": ["get"]}
ANSWERS: dict[str, dict[str, Any]] = {
    "/version": {"major": "1", "minor": "35", "gitVersion": "v1.35.4"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [SECRETS, NAMESPACES]},
    "/api/v1/namespaces/ministry/secrets": {"kind": "SecretList", "apiVersion": "v1", "items": []},
}
OWN = "/api/v1/namespaces/ministry/"


class Restricted(BaseHTTPRequestHandler):
    """There is nothing in the namespace, and what is not in it may not be read."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        code, reason = (404, "NotFound") if path.startswith(OWN) else (403, "Forbidden")
        refusal = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
                   "message": f"{path}: {reason}"}  # fmt: skip
        content = json.dumps(ANSWERS.get(path, refusal)).encode()
        self.send_response(200 if path in ANSWERS else code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base class'
        """Nothing."""


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Iterator[Path]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Restricted) as server:
        threading.Thread(target=server.serve_forever).start()
        named = {"name": "it"}
        told = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "it",
            "clusters": [{**named, "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
            "users": [{**named, "user": {}}],
            "contexts": [{**named, "context": {"cluster": "it", "user": "it", "namespace": "ministry"}}],
        }
        (tmp_path / "config").write_text(yaml.safe_dump(told))
        yield tmp_path / "config"
        server.shutdown()


def test_who_has_rights_in_a_namespace_alone_hears_which_secret_is_missing(helm, charts, kubeconfig):
    done = helm("install", "rossio", charts / "rossio", "-n", "ministry", "-f", VALUES["external"],
                "--dry-run=server", "--kubeconfig", kubeconfig)  # fmt: skip
    assert done.returncode != 0
    assert "the secret rossio-kafka in namespace ministry has no key" in done.stderr
    assert "kubectl -n ministry create secret generic rossio-kafka --from-literal=" in done.stderr
