"""The charts without a cluster: what holds across objects, charts, schemas and the code.

What one template decides from values is in the charts' own suites (test_suites.py).
"""

import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import messaging
import pytest
import yaml

from tests.charts.conftest import ROOT, SOURCES, VALUES, Objects

SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))
each_values = pytest.mark.parametrize("values", VALUES)


def of_kind(objects: Objects, *kinds: str) -> Objects:
    return [found for found in objects if found["kind"] in kinds]


def pod_specs(objects: Objects) -> Iterator[tuple[str, dict[str, str], dict[str, Any]]]:
    """Name, labels and specification of every pod that would run."""
    for found in of_kind(objects, "Deployment", "Job", "Pod"):
        pod = found if found["kind"] == "Pod" else found["spec"]["template"]
        yield found["metadata"]["name"], pod["metadata"]["labels"], pod["spec"]


def selects(selector: dict[str, Any] | None, labels: dict[str, str]) -> bool:
    wanted: dict[str, str] = (selector or {}).get("matchLabels", {})
    return wanted.items() <= labels.items()


def made_by_hand(values: str) -> dict[str, set[str]]:
    """The secrets and keys that the first lines of a file of values make, and those that operators make."""
    told = VALUES[values].read_text().replace("\\\n#", "")
    commands = re.findall(r"kubectl create secret generic (\S+)(.*)", told)
    by_hand = {name: set(re.findall(r"--from-(?:literal|file)=([^=]+)=", rest)) for name, rest in commands}
    strimzi = {"rossio-kafka-cluster-ca-cert": {"ca.crt"}, "rossio-kafka-user": {"password"}}
    return by_hand | strimzi | {"rossio-mongodb-uri": {"connectionString.standard"}}


# What is refused


@pytest.mark.parametrize("service", SERVICES)
def test_a_chart_of_its_own_passes_helm_lint(helm, charts, service):
    secrets = yaml.safe_load((SOURCES / service / "values.yaml").read_text()).get("secrets", {})
    given = ["global.kafka.bootstrap=k:9092", "global.mongodb.existingSecret=m", "global.oidc.issuer=i"]
    given += ["global.oidc.jwks=https://i/keys", *(f"secrets.{name}.existingSecret=s" for name in secrets)]
    done = helm("lint", "--strict", charts / service, "--set", ",".join(given))
    assert done.returncode == 0, done.stdout


@each_values
def test_the_umbrella_passes_helm_lint(helm, charts, values):
    done = helm("lint", "--strict", charts / "rossio", "-f", VALUES[values])
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("global.kafka.bootsrap=k:9092", "'bootsrap' not allowed"),
        ("nwes.replicas=3", "'nwes' not allowed"),
        ("news.workloads.apo.replicas=3", "'apo' not allowed"),
        ("mail-routing.ports.smpt=25", "'smpt' not allowed"),
        ("news.workloads.api.replicas=many", "got string, want integer"),
        ("news.config.LOG_LEVLE=debug", "'LOG_LEVLE' not allowed"),
        ("mail-routing.secrets.VAULT_KEY.existingSecret=x", "'VAULT_KEY' not allowed"),
        ("global.logLevel=loud", "value must be one of"),
        ("global.kafka.tls.existingSecrte=x", "'existingSecrte' not allowed"),
        ("global.kafka.sasl.mechanism=GSSAPI", "value must be one of"),
        ("directory.config.KAFKA_TLS=true", "'KAFKA_TLS' not allowed"),
        (
            "document.secrets.BLOBS_MASTER_KEY.existingSecret=",
            "document.secrets.BLOBS_MASTER_KEY.existingSecret is not",
        ),
        ("mail-routing.secrets.BLOBS_MASTER_KEY.existingSecret=", "mail-routing.secrets.BLOBS_MASTER_KEY.existingS"),
        ("news.secrets.ROLL_KEY.existingSecret=", "news.secrets.ROLL_KEY.existingSecret is not set: 32 bytes"),
    ],
)
def test_a_value_that_is_wrong_or_missing_is_named(helm, charts, wrong, said):
    done = helm("template", "rossio", charts / "rossio", "-f", VALUES["external"], "--set", wrong)
    assert done.returncode != 0
    assert said in done.stderr


def test_a_wrong_value_of_the_development_servers_is_named(helm, charts):
    done = helm("template", "rossio", charts / "rossio", "-f", VALUES["dev"], "--set", "dev.kafka.tga=x")
    assert done.returncode != 0
    assert "'tga' not allowed" in done.stderr


def test_every_value_is_described(charts):
    rows = [line for readme in charts.glob("*/README.md") for line in readme.read_text().splitlines()
            if line.startswith("| `")]  # fmt: skip
    assert rows
    assert [row for row in rows if row.endswith("|  |")] == []


def test_the_reference_of_values_is_current(charts):
    made = {readme.parent.name: readme.read_text() for readme in charts.glob("*/README.md")}
    kept = {page.stem: page.read_text() for page in (ROOT / "docs" / "reference" / "charts").glob("*.md")}
    assert kept == made, "run `make docs`"


# What renders


def test_a_release_has_the_charts_that_are_wanted_and_servers_in_development_alone(rendered):
    def charts_of(values: str, *options: str) -> set[str]:
        return {found["metadata"]["labels"]["app.kubernetes.io/name"] for found in rendered(values, *options)}

    assert charts_of("external") == charts_of("operators") == {"rossio", *SERVICES}
    assert charts_of("dev") == {"rossio", "dev", *SERVICES}
    assert charts_of("external", "--set", "news.enabled=false") == {"rossio", *SERVICES} - {"news"}


@each_values
def test_what_an_object_names_is_there(rendered, values):
    objects = rendered(values)
    secrets = {found["metadata"]["name"]: {*found.get("data", {}), *found.get("stringData", {})}
               for found in of_kind(objects, "Secret")} | made_by_hand(values)  # fmt: skip
    secrets |= {
        found["spec"]["secretName"]: {"tls.crt", "tls.key", "ca.crt"} for found in of_kind(objects, "Certificate")
    }
    named = {kind: {found["metadata"]["name"] for found in of_kind(objects, kind)}
             for kind in ("ServiceAccount", "ConfigMap", "PersistentVolumeClaim")}  # fmt: skip
    for name, _, spec in pod_specs(objects):
        assert spec.get("serviceAccountName", "default") in named["ServiceAccount"] | {"default"}, name
        for container in (*spec.get("initContainers", ()), *spec["containers"]):
            for variable in container.get("env", ()):
                if "valueFrom" in variable:
                    told = variable["valueFrom"]["secretKeyRef"]
                    assert told["key"] in secrets[told["name"]], (name, variable)
            assert {mount["name"] for mount in container["volumeMounts"]} <= {v["name"] for v in spec["volumes"]}
        for volume in spec["volumes"]:
            told = volume.get("secret", {})
            assert told.get("secretName") in {None, *secrets}, volume
            assert {item["key"] for item in told.get("items", ())} <= secrets.get(told.get("secretName"), set()), volume
            assert volume.get("configMap", {}).get("name") in named["ConfigMap"] | {None}, volume
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            assert claim in named["PersistentVolumeClaim"] | {None}, volume


@each_values
def test_every_service_and_budget_has_pods_and_every_port_a_container(rendered, values):
    objects = rendered(values)
    pods = list(pod_specs(objects))
    for found in of_kind(objects, "Service"):
        chosen = [spec for _, labels, spec in pods if found["spec"]["selector"].items() <= labels.items()]
        assert chosen, found["metadata"]["name"]
        for port in found["spec"]["ports"]:
            for spec in chosen:
                ports = [told for container in spec["containers"] for told in container.get("ports", ())]
                assert any(port["targetPort"] in (told.get("name"), told["containerPort"]) for told in ports), port
    for found in of_kind(objects, "PodDisruptionBudget"):
        assert any(selects(found["spec"]["selector"], labels) for _, labels, _ in pods)
    targets = {found["metadata"]["name"] for found in of_kind(objects, "Deployment")}
    for found in of_kind(objects, "HorizontalPodAutoscaler", "ScaledObject"):
        assert found["spec"]["scaleTargetRef"]["name"] in targets


@each_values
def test_an_address_that_a_process_is_told_is_that_of_a_service(rendered, values):
    objects = rendered(values)
    served = {f"{found['metadata']['name']}:{port['port']}"
              for found in of_kind(objects, "Service") for port in found["spec"]["ports"]}  # fmt: skip
    asked = [
        variable["value"]
        for _, _, spec in pod_specs(objects)
        for container in spec["containers"]
        for variable in container.get("env", ())
        if variable["name"].endswith("_ADDRESS") and not variable["value"].startswith("0.0.0.0:")
    ]
    assert asked
    assert set(asked) <= served


@each_values
def test_every_pod_is_kept_as_small_as_those_of_the_services(rendered, values):
    pods = list(pod_specs(rendered(values)))
    model = next(spec for _, labels, spec in pods if labels["app.kubernetes.io/name"] in SERVICES)
    for name, _, spec in pods:
        assert spec["securityContext"] == model["securityContext"], name
        assert spec["automountServiceAccountToken"] is False, name
        for container in (*spec.get("initContainers", ()), *spec["containers"]):
            assert container["securityContext"] == model["containers"][0]["securityContext"], name
            assert {"limits", "requests"} <= container["resources"].keys(), name
            assert not container["image"].endswith((":", ":latest")), name


# The network


def edges(objects: Objects) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """For each policy and peer that is pods of the release: policy, direction, peer's name, rule."""
    for policy in of_kind(objects, "NetworkPolicy"):
        for direction, side in (("ingress", "from"), ("egress", "to")):
            for rule in policy["spec"].get(direction, ()):
                for peer in rule.get(side, ()):
                    labels = peer.get("podSelector", {}).get("matchLabels", {})
                    if "app.kubernetes.io/name" in labels:
                        yield policy["metadata"]["name"], direction, _name(labels), rule


def _name(labels: dict[str, str]) -> str:
    return f"rossio-{labels['app.kubernetes.io/name']}-{labels['app.kubernetes.io/component']}"


@each_values
def test_every_pod_has_a_policy_and_every_call_one_on_both_sides(rendered, values):
    objects = rendered(values)
    policies = of_kind(objects, "NetworkPolicy")
    for name, labels, _ in pod_specs(objects):
        own = [policy for policy in policies if selects(policy["spec"]["podSelector"], labels)]
        assert any(policy["metadata"]["name"] == "rossio-deny" for policy in own), name
        assert len(own) >= 2, f"nothing allows {name} anything"
    calls = {(policy, peer) for policy, direction, peer, _ in edges(objects) if direction == "egress"}
    answers = {(peer, policy) for policy, direction, peer, _ in edges(objects) if direction == "ingress"}
    assert calls == answers == {("rossio-notification-send", "rossio-mail-routing-api")}


# The charts and the code


@pytest.mark.parametrize("service", SERVICES)
def test_a_chart_plays_all_roles_and_names_the_streams_that_they_settle(service):
    workloads = yaml.safe_load((SOURCES / service / "values.yaml").read_text())["workloads"]
    source = next((ROOT / "services" / service / "src").glob("*/main.py")).read_text()
    told = re.search(r"roles=\((.*?)\)|^ROLES = \((.*?)\)", source, re.MULTILINE | re.DOTALL)
    roles = set(re.findall(r'"([^"]+)"', next(filter(None, told.groups())))) if told else set()
    assert {role for workload in workloads.values() for role in workload.get("roles", ())} == roles
    consumed = {stream for workload in workloads.values() for stream in workload.get("consumes", ())}
    assert consumed == {name for name, stream in messaging.catalogue().streams.items() if service in stream.consumers}


def test_keda_looks_at_the_groups_that_consume(rendered):
    streams = messaging.catalogue().streams
    triggers = [
        (found["metadata"]["labels"]["app.kubernetes.io/name"], trigger["metadata"])
        for found in of_kind(rendered("external"), "ScaledObject")
        for trigger in found["spec"]["triggers"]
    ]
    assert triggers
    assert all(told["consumerGroup"] == streams[told["topic"]].group(service) for service, told in triggers)


@pytest.mark.parametrize("service", SERVICES)
def test_ports_and_settings_are_those_of_the_service(charts, service):
    settings = importlib.import_module(f"{service.replace('-', '_')}.settings").Settings
    values = yaml.safe_load((SOURCES / service / "values.yaml").read_text())
    for name in ("grpc", "admin"):
        assert settings.model_fields[f"{name}_address"].default.endswith(f":{values['ports'][name]}")
    for variable in (*values.get("calls", ()), *values.get("config", ()), *values.get("secrets", ())):
        assert variable.lower() in settings.model_fields, variable
    schema = json.loads((charts / service / "values.schema.json").read_text())["properties"]
    offered = {*schema["config"]["properties"], *schema["secrets"]["properties"]}
    from_code = {name.upper() for name in settings.model_fields}
    assert offered <= from_code


def test_the_settings_that_templates_give_exist(rendered):
    known = {"MONGODB_URI"}
    for service in SERVICES:
        module = importlib.import_module(f"{service.replace('-', '_')}.settings")
        known |= {name.upper() for name in module.Settings.model_fields}
    for name, labels, spec in pod_specs(rendered("external")):
        if labels["app.kubernetes.io/name"] in SERVICES:
            given = {variable["name"] for container in spec["containers"] for variable in container["env"]}
            assert given <= known, name


def test_two_assemblies_are_the_same_bytes(charts, tmp_path):
    subprocess.run(
        [sys.executable, SOURCES / "assemble.py", "--out", tmp_path], check=True, cwd=ROOT, capture_output=True
    )
    (first,), (second,) = charts.glob("*.tgz"), tmp_path.glob("*.tgz")
    assert first.read_bytes() == second.read_bytes()
