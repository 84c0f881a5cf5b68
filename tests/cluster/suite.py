"""The suite as it is installed in the tests of this folder, and what they ask of it."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from devstack import services
from devstack.issuer import Issuer

from tests.cluster.node import Cluster

ROOT = Path(__file__).parents[2]
CHART = next((ROOT / ".charts").glob("rossio-*.tgz"))
VERSION = CHART.stem.removeprefix("rossio-")
SUITE = ("rossio", CHART, "-f", ROOT / "charts" / "rossio" / "values-dev.yaml", "--set", f"dev.image.tag={VERSION}",
         "--set", "news.workload.replicas=2")  # fmt: skip
SERVICES = tuple(service.name for service in services.SERVICES)
PATIENT = ("--wait", "--timeout", "10m")
# Everything that a release is made of; claims are kept on purpose.
KINDS = "deploy,svc,sa,secret,cm,pdb,netpol,job,pod"


def workloads(service: str) -> dict[str, Any]:
    """What its chart says of each of its workloads."""
    told: dict[str, Any] = yaml.safe_load((ROOT / "charts" / service / "values.yaml").read_text())["workloads"]
    return told


def pods(cluster: Cluster, service: str, workload: str = "api") -> list[dict[str, Any]]:
    """Those that are not about to end."""
    selector = f"app.kubernetes.io/name={service},app.kubernetes.io/component={workload}"
    return [pod for pod in cluster.listed("pod", "-l", selector) if "deletionTimestamp" not in pod["metadata"]]


def ready(pod: dict[str, Any]) -> bool:
    return any(told["type"] == "Ready" and told["status"] == "True" for told in pod["status"].get("conditions", ()))


def address(cluster: Cluster, service: str, port: int) -> str:
    return f"{cluster.kubectl('get', 'svc', service, '-o', 'jsonpath={.spec.clusterIP}')}:{port}"


@contextmanager
def load(cluster: Cluster, folder: Path) -> Iterator[dict[str, Any]]:
    """Calls and mail sessions meanwhile; what became of them is in the dictionary afterwards."""
    key = cluster.kubectl("get", "secret", "rossio-dev-issuer", "-o", r"jsonpath={.data.issuer\.pem}")
    folder.mkdir(exist_ok=True)
    (folder / "issuer.pem").write_bytes(base64.b64decode(key))
    token = Issuer(folder).token("operator", kind="service", roles=["ministry.admin"])
    where = (address(cluster, "rossio-directory-api", 7101), address(cluster, "rossio-mail-routing-smtp", 2525))
    command = cluster.inside(sys.executable, "-m", "tests.cluster.load", *where, token)
    told: dict[str, Any] = {}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        try:
            yield told
        finally:
            running.terminate()
            told.update(json.loads(running.communicate(timeout=120)[0]))
