"""The policies as kube-router's controller enforces them on the node: who may connect where, tried from the pods."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.node import Cluster, poll
from tests.cluster.suite import VERSION, ready

# Where a workload may go beside Kafka and the store: exactly the calls of the service graph.
CALLS = {("notification-send", "mail-routing-api", "grpc")}
# Whose keys and those of the cluster are read: who serves people checks their tokens.
READS_KEYS = {"directory-api", "document-api", "governance-api", "mail-routing-api", "mail-routing-smtp", "news-api",
              "notification-api"}  # fmt: skip
# Where anybody may come in, from outside too: mail, and what providers of SMS report.
OPEN = {("mail-routing-smtp", "smtp"), ("notification-receipts", "receipts")}
SERVERS = {"dev-kafka", "dev-mongodb", "dev-issuer"}
_TRY = """
import asyncio, json, sys
async def opens(address):
    try:
        async with asyncio.timeout(5):
            _, writer = await asyncio.open_connection(*address)
        writer.close()
        return True
    except OSError:
        return False
async def main(wanted):
    print(json.dumps(await asyncio.gather(*map(opens, wanted))))
asyncio.run(main(json.loads(sys.argv[1])))
"""


def named(pod: dict[str, Any]) -> str:
    labels = pod["metadata"]["labels"]
    return f"{labels['app.kubernetes.io/name']}-{labels['app.kubernetes.io/component']}"


def running(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """A pod of each workload and server of the installation."""
    found = cluster.listed("pod", "-l", "app.kubernetes.io/instance=rossio,app.kubernetes.io/part-of=rossio")
    return {named(pod): pod for pod in found if ready(pod) and "deletionTimestamp" not in pod["metadata"]}


def ports(pods: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str, list[Any]]]:
    """Workload, name of the port, and where it listens."""
    for name, pod in pods.items():
        for container in pod["spec"]["containers"]:
            for port in container.get("ports", ()):
                told = port.get("name", str(port["containerPort"]))
                yield name, told, [pod["status"]["podIP"], port["containerPort"]]


def reached(cluster: Cluster, pod: str, python: str, wanted: list[list[Any]]) -> list[bool]:
    """Whether each address takes a connection from inside the pod."""
    told = cluster.kubectl("exec", pod, "--", python, "-c", _TRY, json.dumps(wanted))
    answers: list[bool] = json.loads(told)
    return answers


def allowed(source: str, target: str, port: str) -> bool:
    if target in {"dev-kafka", "dev-mongodb"}:
        return source not in SERVERS
    if target == "dev-issuer":
        return source in READS_KEYS
    return (source, target, port) in CALLS


def test_every_pod_reaches_what_the_service_graph_says_and_nothing_else(cluster: Cluster) -> None:
    pods = running(cluster)
    targets = list(ports(pods))
    assert {name for name, _, _ in targets} >= SERVERS | {"directory-api", "mail-routing-api", "notification-send"}
    wrong = []
    for source, pod in pods.items():
        if source in SERVERS:
            continue  # images of others' programs, without this Python; nothing goes out of them by their policies
        others = [target for target in targets if target[0] != source]
        answers = reached(cluster, pod["metadata"]["name"], "/usr/bin/python3.11", [where for *_, where in others])
        for (target, port, _), opened in zip(others, answers, strict=True):
            if opened != allowed(source, target, port):
                wrong.append(f"{source} {'reaches' if opened else 'does not reach'} {target}:{port}")
    assert wrong == []


@pytest.fixture
def stranger(cluster: Cluster) -> Iterator[str]:
    """A pod of somebody else's in the same namespace."""
    name = "stranger"
    sleeps = {"name": name, "image": f"localhost/rossio/tools:{VERSION}",
              "command": ["/usr/bin/python3.11", "-c", "import time; time.sleep(3600)"]}  # fmt: skip
    wish = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": [sleeps]}}
    file = cluster.folder / "stranger.json"
    file.write_text(json.dumps(wish))
    cluster.kubectl("apply", "-f", file)
    cluster.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
    yield name
    cluster.kubectl("delete", "pod", name, "--grace-period=0", "--force")


def test_a_pod_outside_the_graph_is_refused_and_one_with_the_clients_label_is_let_through(
    cluster: Cluster, stranger: str
) -> None:
    targets = list(ports(running(cluster)))

    def open_to_it() -> set[tuple[str, str]]:
        answers = reached(cluster, stranger, "/usr/bin/python3.11", [where for *_, where in targets])
        return {(name, port) for (name, port, _), opened in zip(targets, answers, strict=True) if opened}

    assert open_to_it() == OPEN & {(name, port) for name, port, _ in targets}
    cluster.kubectl("label", "pod", stranger, "rossio.io/client=true", "app.kubernetes.io/instance=rossio")
    apis = {(name, port) for name, port, _ in targets if port == "grpc"}
    poll("a client reaches every service", lambda: open_to_it() >= apis)
    assert not {port for _, port in open_to_it()} & {"admin"}
