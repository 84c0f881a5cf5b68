"""The life of an installation on a real Kubernetes, in its order: each test goes on where the one before it stopped."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.cluster.node import Cluster, poll
from tests.cluster.releases import relabelled
from tests.cluster.suite import PATIENT, ROOT, SUITE, load, pods, ready


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


TOPIC = "news.post.v1.notification.dlq"
_TOPICS = """
import asyncio, json, os, sys
from aiokafka.admin import AIOKafkaAdminClient
async def main(gone):
    admin = AIOKafkaAdminClient(bootstrap_servers=os.environ["KAFKA_BOOTSTRAP"])
    await admin.start()
    if gone:
        await admin.delete_topics(gone)
    print(json.dumps(sorted(await admin.list_topics())))
    await admin.close()
asyncio.run(main(sys.argv[1:]))
"""


def topics(cluster: Cluster, *gone: str) -> list[str]:
    """The topics that there are, after those that are to go."""
    pod = pods(cluster, "news")[0]["metadata"]["name"]
    found: list[str] = json.loads(cluster.kubectl("exec", pod, "--", "/usr/bin/python3.11", "-c", _TOPICS, *gone))
    return found


def test_an_upgrade_fails_no_call_and_no_mail_session(cluster: Cluster, tmp_path: Path) -> None:
    """To images of other digests, with other values, and with a topic more than the release before had."""
    cluster.load(relabelled(ROOT / ".images" / "layout", tmp_path, "next"))
    assert TOPIC in topics(cluster)
    topics(cluster, TOPIC)
    poll("the topic is gone", lambda: TOPIC not in topics(cluster))
    before = {pod["metadata"]["name"]: running(pod) for pod in pods(cluster, "directory")}
    changed = (
        "--set",
        "global.image.tag=next",
        "--set",
        "global.logLevel=warning",
        "--set",
        "directory.workload.replicas=2",
    )
    with load(cluster, tmp_path) as told:
        cluster.run("helm", "upgrade", *SUITE, *changed, *PATIENT, seconds=700)
        # Those that were replaced drain for a while after the new ones are ready.
        poll(
            "the old pods have ended",
            lambda: not before.keys() & {p["metadata"]["name"] for p in cluster.listed("pod")},
        )
    assert told["failed"] == []
    assert told["calls"] > 100
    assert told["sessions"] > 100
    after = [running(pod) for pod in pods(cluster, "directory")]
    assert len(after) == 2
    assert not set(before.values()) & set(after)
    poll("the topic is there again", lambda: TOPIC in topics(cluster))


def names(cluster: Cluster) -> list[str]:
    """Of all pods, those that are about to end among them."""
    return [pod["metadata"]["name"] for pod in cluster.listed("pod")]


def running(pod: dict[str, Any]) -> str:
    """The digest of the image that it runs."""
    digest: str = pod["status"]["containerStatuses"][0]["imageID"]
    return digest


_OUTBOX_INDEX = """
import os, sys
import pymongo
tastes = pymongo.MongoClient(os.environ["MONGODB_URI"])["rossio_news"]["tastes"]
tastes.drop_index("outbox.at_1")
tastes.create_index("outbox.at", sparse=sys.argv[1] == "sparse")
"""


def test_an_index_that_cannot_be_made_ends_an_upgrade_before_anything_is_changed(cluster: Cluster) -> None:
    """Another release had it with other options; helm says which, and what to do."""

    def generations() -> dict[str, int]:
        return {found["metadata"]["name"]: found["metadata"]["generation"] for found in cluster.listed("deploy")}

    def made_as(kind: str) -> None:
        pod = pods(cluster, "news")[0]["metadata"]["name"]
        cluster.kubectl("exec", pod, "--", "/usr/bin/python3.11", "-c", _OUTBOX_INDEX, kind)

    before = generations()
    made_as("dense")
    try:
        done = cluster.run("helm", "upgrade", *SUITE, "--set", "global.image.tag=next", "--set",
                           "global.logLevel=debug", "--timeout", "5m", check=False, seconds=400)  # fmt: skip
    finally:
        made_as("sparse")
    assert done.returncode != 0
    said = done.stderr + done.stdout
    assert "news: rossio_news.tastes has indexes of another release with other options: outbox.at_1." in said
    assert "directory: the indexes are there" in said
    assert generations() == before
    cluster.kubectl("delete", "job", "rossio-indexes")  # which helm leaves for whoever looks into it


def asked(pod: dict[str, Any]) -> str:
    """The CPU that it requests."""
    cpu: str = pod["spec"]["containers"][0]["resources"]["requests"]["cpu"]
    return cpu


def test_a_release_that_cannot_start_is_rolled_back_and_nobody_notices(cluster: Cluster, tmp_path: Path) -> None:
    """No node has so much for its pods; that, the jobs before it cannot see."""
    with load(cluster, tmp_path) as told:
        done = cluster.run("helm", "upgrade", *SUITE, "--set", "global.image.tag=next",
                           "--set", "directory.workloads.api.resources.requests.cpu=99", "--rollback-on-failure",
                           "--wait", "--timeout", "60s", check=False, seconds=400)  # fmt: skip
    assert done.returncode != 0
    tried = cluster.listed("rs", "-l", "app.kubernetes.io/name=directory")
    assert "99" in {asked(found["spec"]["template"]) for found in tried}
    assert {asked(pod) for pod in pods(cluster, "directory")} == {"100m"}
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
