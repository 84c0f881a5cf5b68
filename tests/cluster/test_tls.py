"""Calls over TLS with secrets that are there already, both ends showing a certificate, and their renewal."""

import base64
import json
import ssl
import sys
from typing import Any

from tests.cluster.certificates import Authority
from tests.cluster.node import Cluster, poll
from tests.cluster.suite import PATIENT, SUITE, pods

SERVERS = ("directory", "mail-routing", "document", "news", "notification", "governance")
_SHOWN = "import ssl, sys; print(ssl.get_server_certificate((sys.argv[1], int(sys.argv[2]))))"


def give(cluster: Cluster, authority: Authority) -> None:
    """Makes the secret of each service, or replaces it."""
    for service in SERVERS:
        names = [f"rossio-{service}-{workload}{suffix}" for workload in ("api", "smtp") for suffix in ("", "-headless")]
        file = cluster.folder / f"{service}-tls.json"
        file.write_text(authority.secret(f"rossio-{service}-tls", [*names, *(f"{n}.default.svc" for n in names)]))
        cluster.kubectl("apply", "-f", file)


def shown(cluster: Cluster, pod: dict[str, Any]) -> str:
    """The certificate that a new connection is shown, in PEM; empty while there is none."""
    (port,) = [p["containerPort"] for p in pod["spec"]["containers"][0]["ports"] if p["name"] == "grpc"]
    told = cluster.run(sys.executable, "-c", _SHOWN, pod["status"]["podIP"], str(port), check=False)
    return told.stdout.strip()


def wanted(cluster: Cluster, service: str) -> str:
    told = json.loads(cluster.kubectl("get", "secret", f"rossio-{service}-tls", "-o", "json"))
    pem = base64.b64decode(told["data"]["tls.crt"]).decode()
    return ssl.DER_cert_to_PEM_cert(ssl.PEM_cert_to_DER_cert(pem)).strip()


def test_calls_go_over_tls_with_secrets_that_are_there(cluster: Cluster) -> None:
    give(cluster, Authority())
    cluster.run("helm", "upgrade", *SUITE, "--set", "global.tls.enabled=true", *PATIENT, seconds=700)
    told = cluster.run("helm", "test", "rossio", "--logs", "--timeout", "10m", seconds=700).stdout
    assert "5 of 5 steps done and checked" in told
    for service in SERVERS:
        assert {shown(cluster, pod) for pod in pods(cluster, service)} == {wanted(cluster, service)}


def test_renewed_secrets_are_taken_up_without_a_restart(cluster: Cluster) -> None:
    """Of another authority, so that a caller which had kept the old one could not go on."""
    before = {pod["metadata"]["uid"] for service in SERVERS for pod in pods(cluster, service)}
    give(cluster, Authority())
    for service in SERVERS:
        new = wanted(cluster, service)
        for pod in pods(cluster, service):
            poll(f"{service} shows its new certificate", lambda p=pod, n=new: shown(cluster, p) == n)
    told = cluster.run("helm", "test", "rossio", "--logs", "--timeout", "10m", seconds=700).stdout
    assert "5 of 5 steps done and checked" in told
    after = [pod for service in SERVERS for pod in pods(cluster, service)]
    assert {pod["metadata"]["uid"] for pod in after} == before
    assert all(told["restartCount"] == 0 for pod in after for told in pod["status"]["containerStatuses"])
