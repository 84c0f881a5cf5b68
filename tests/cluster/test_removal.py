"""What cannot be installed is refused before anything is made, and what is removed leaves nothing but people's own."""

import pytest

from tests.cluster.node import Cluster, poll
from tests.cluster.suite import CHART, KINDS

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
