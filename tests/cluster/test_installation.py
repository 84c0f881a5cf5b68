"""The life of an installation on a real Kubernetes, in its order: each test goes on where the one before it stopped."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.cluster.node import Cluster, poll
from tests.cluster.suite import PATIENT, SUITE, VERSION, load, pods, ready


def test_one_command_installs_a_working_suite(cluster: Cluster) -> None:
    cluster.run("helm", "install", *SUITE, *PATIENT, seconds=700)
    services = {pod["metadata"]["labels"]["app.kubernetes.io/name"] for pod in cluster.listed("pod") if ready(pod)}
    assert services >= {"directory", "mail-routing", "document", "news", "notification", "governance"}


def test_a_mail_a_document_a_news_item_and_their_notices(cluster: Cluster) -> None:
    told = cluster.run("helm", "test", "rossio", "--logs", "--timeout", "10m", seconds=700).stdout
    assert "5 of 5 steps done and checked" in told


def test_a_service_is_known_by_the_token_of_its_service_account(cluster: Cluster) -> None:
    """Notification hands the e-mail about the shared document over; nobody gave it a token but the kubelet."""
    (pod,) = pods(cluster, "mail-routing")
    counted = (
        'rpc_server_call_duration_seconds_count{rpc_method="rossio.mail.v1.MailService/Submit",rpc_status_code="OK"}'
    )

    def submitted() -> bool:
        return counted in cluster.run("curl", "-s", f"{pod['status']['podIP']}:7202/metrics").stdout

    poll("an e-mail is submitted", submitted)


def test_an_upgrade_fails_no_call_and_no_mail_session(cluster: Cluster, tmp_path: Path) -> None:
    for image in cluster.run(
        "ctr", "-a", cluster.folder / "containerd.sock", "-n", "k8s.io", "i", "ls", "-q"
    ).stdout.split():
        if image.startswith("localhost/rossio/") and image.endswith(f":{VERSION}"):
            cluster.tag(image, image.replace(f":{VERSION}", ":next"))
    before = {pod["metadata"]["name"] for pod in pods(cluster, "directory")}
    with load(cluster, tmp_path) as told:
        cluster.run("helm", "upgrade", *SUITE, "--set", "global.image.tag=next", *PATIENT, seconds=700)
        # Those that were replaced drain for a while after the new ones are ready.
        poll("the old pods have ended", lambda: not before & {p["metadata"]["name"] for p in cluster.listed("pod")})
    assert told["failed"] == []
    assert told["calls"] > 100
    assert told["sessions"] > 100


def test_a_release_that_cannot_start_is_rolled_back_and_nobody_notices(cluster: Cluster, tmp_path: Path) -> None:
    with load(cluster, tmp_path) as told:
        done = cluster.run("helm", "upgrade", *SUITE, "--set", "global.image.tag=next",
                           "--set", "directory.image.tag=bad", "--rollback-on-failure", "--wait", "--timeout", "45s",
                           check=False, seconds=400)  # fmt: skip
    assert done.returncode != 0
    images = {pod["spec"]["containers"][0]["image"] for pod in pods(cluster, "directory")}
    assert images == {"localhost/rossio/directory:next"}
    assert told["failed"] == []


def evict(cluster: Cluster, pod: dict[str, Any], folder: Path) -> subprocess.CompletedProcess[str]:
    """What `kubectl drain` asks for each pod."""
    name = pod["metadata"]["name"]
    wish = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": "default"}}
    file = folder / f"{name}.json"
    file.write_text(json.dumps(wish))
    return cluster.run(
        "kubectl", "create", "--raw", f"/api/v1/namespaces/default/pods/{name}/eviction", "-f", file, check=False
    )


def test_a_drain_takes_one_of_two_pods_and_waits_with_the_other(cluster: Cluster, tmp_path: Path) -> None:
    first, second = pods(cluster, "news")
    cluster.kubectl("cordon", "n1")
    try:
        assert evict(cluster, first, tmp_path).returncode == 0
        refused = poll("the budget holds", lambda: (r := evict(cluster, second, tmp_path)).returncode != 0 and r)
        assert "disruption budget" in refused.stderr
        assert any(ready(pod) for pod in pods(cluster, "news"))
    finally:
        cluster.kubectl("uncordon", "n1")
    poll("both are back", lambda: sum(map(ready, pods(cluster, "news"))) == 2)


def test_a_killed_pod_is_replaced_and_the_suite_works(cluster: Cluster) -> None:
    for service, workload in (("document", "api"), ("mail-routing", "worker"), ("notification", "react")):
        (pod,) = pods(cluster, service, workload)
        cluster.kubectl("delete", "pod", pod["metadata"]["name"], "--grace-period=0", "--force")
        poll(
            f"{service} is back",
            lambda s=service, w=workload: all(map(ready, pods(cluster, s, w))) and pods(cluster, s, w),
        )
    told = cluster.run("helm", "test", "rossio", "--logs", "--timeout", "10m", seconds=700).stdout
    assert "5 of 5 steps done and checked" in told
