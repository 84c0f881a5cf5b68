"""The life of an installation on a real Kubernetes, in its order: each test goes on where the one before it stopped."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from devstack.issuer import Issuer

from tests.cluster.node import Cluster, poll

ROOT = Path(__file__).parents[2]
CHART = next((ROOT / ".charts").glob("rossio-*.tgz"))
VERSION = CHART.stem.removeprefix("rossio-")
SUITE = ("rossio", CHART, "-f", ROOT / "charts" / "rossio" / "values-dev.yaml", "--set", f"dev.image.tag={VERSION}",
         "--set", "news.workload.replicas=2")  # fmt: skip
PATIENT = ("--wait", "--timeout", "10m")
# Everything that a release is made of; claims are kept on purpose.
KINDS = "deploy,svc,sa,secret,cm,pdb,netpol,job,pod"


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


ELSEWHERE = (
    "--set", "global.kafka.bootstrap=127.0.0.1:1,global.mongodb.existingSecret=mongodb,prepare.seconds=3",
    "--set", "global.oidc.issuer=https://issuer.example,global.oidc.jwks=https://issuer.example/keys",
    "--set", "document.secrets.BLOBS_MASTER_KEY.existingSecret=keys",
    "--set", "mail-routing.secrets.BLOBS_MASTER_KEY.existingSecret=keys",
    "--set", "notification.secrets.VAULT_KEY.existingSecret=keys",
    "--set", "news.secrets.ROLL_KEY.existingSecret=keys",
)  # fmt: skip


def refused(cluster: Cluster, *options: str) -> str:
    """What helm says to an installation that cannot be, which leaves nothing behind."""
    done = cluster.run("helm", "install", "other", CHART, "-n", "other", *ELSEWHERE, *options, check=False)
    assert done.returncode != 0
    assert not cluster.listed("deploy,svc,sa,pdb", "-n", "other", "-l", "app.kubernetes.io/instance=other")
    return done.stderr + done.stdout


@pytest.fixture(scope="module")
def other(cluster: Cluster) -> None:
    cluster.kubectl("create", "namespace", "other")


@pytest.mark.usefixtures("other")
def test_a_missing_secret_and_a_store_that_is_down_are_said_before_anything_is_made(cluster: Cluster) -> None:
    for name, content, said in (
        ("keys", "vault-key=x", "the secret keys in namespace other has no key vault-key"),
        ("mongodb", "uri=mongodb://127.0.0.1:2", "the secret mongodb in namespace other has no key uri"),
        ("keys", "roll-key=x", "the secret keys in namespace other has no key roll-key"),
        ("keys", "blobs-master-key=x", "the secret keys in namespace other has no key blobs-master-key"),
    ):
        assert said in refused(cluster)
        secret = cluster.kubectl("-n", "other", "create", "secret", "generic", name, f"--from-literal={content}",
                                 "--dry-run=client", "-o", "json")  # fmt: skip
        file = cluster.folder / "secret.json"
        file.write_text(secret)
        # Server side, so that the keys of two calls stand beside each other.
        cluster.kubectl("-n", "other", "apply", "--server-side", f"--field-manager={content[:4]}", "-f", file)
    assert "no answer from MongoDB at 127.0.0.1:2" in refused(cluster, "--rollback-on-failure")


def test_everything_that_renders_is_accepted_by_the_api_server(cluster: Cluster) -> None:
    rendered = cluster.run("helm", "template", "strict", CHART, "-n", "other", *ELSEWHERE).stdout
    file = cluster.folder / "strict.yaml"
    file.write_text(rendered)
    cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-n", "other", "-f", file)


def test_removing_it_leaves_what_people_have_and_nothing_else(cluster: Cluster) -> None:
    cluster.run("helm", "uninstall", "rossio", "--wait", "--timeout", "5m", seconds=400)

    def left() -> set[str]:
        found = cluster.listed(KINDS, "-n", "default", "-l", "app.kubernetes.io/instance=rossio")
        return {item["metadata"]["name"] for item in found}

    # The pod of `helm test` is a hook, which helm leaves for whoever wants its log.
    poll("the pods have drained", lambda: left() <= {"rossio-test"})
