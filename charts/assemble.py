"""`make charts`: from the sources in this folder to charts that can be installed, in `.charts/`.

Each chart gets a values.schema.json (of service/values.schema.json and of the settings that its service declares), a
README with its values, and the charts that it depends on; its suites stay here. All of it is one archive,
`.charts/rossio-<version>.tgz`. `make docs` has the READMEs alone, as pages of docs/reference.
"""

import argparse
import ast
import copy
import gzip
import importlib
import inspect
import io
import json
import shutil
import tarfile
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import messaging
import yaml
from messaging.topics import topics_of
from pydantic import SecretStr
from service.settings import Settings

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent
EPOCH: Final = 1577836800
SERVICES: Final = sorted(path.parent.name for path in (ROOT / "services").glob("*/pyproject.toml"))
# What the templates say of every process: values of their own exist for these.
BY_TEMPLATE: Final = {
    "admin_address", "data_path", "drain_seconds", "grpc_address", "grpc_peer_authority", "grpc_tls_authority",
    "grpc_tls_certificate", "grpc_tls_key", "kafka_bootstrap", "kafka_idempotence", "kafka_sasl_mechanism",
    "kafka_sasl_password", "kafka_sasl_username", "kafka_sasl_without_tls", "kafka_tls", "kafka_tls_authority",
    "kafka_tls_certificate", "kafka_tls_key", "lame_duck_seconds", "log_level", "mongodb_uri", "oidc_audience",
    "oidc_issuer", "oidc_jwks", "otlp_endpoint", "prepare_seconds", "roles", "service_token_file", "smtp_address",
    "smtp_tls_certificate", "smtp_tls_key", "receipts_address", "submission_address", "submissions_address",
    "trace_sample_ratio", "workload_issuer", "workload_jwks", "workload_jwks_authority", "workload_jwks_token_file",
    "workload_subjects", "http_address",
}  # fmt: skip
# Values whose keys are names, by the value of the chart that gives them: another one is a slip.
NAMED: Final = {
    "workloads": "workloads",
    "ports": "ports",
    "servicePorts": "ports",
    "calls": "calls",
    "volumes": "volumes",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / ".charts")
    parser.add_argument("--pages", type=Path, help="a folder: only the READMEs are written, each as a page of it")
    told = parser.parse_args()
    if told.pages is not None:
        for name in (*SERVICES, "rossio"):
            (told.pages / f"{name}.md").write_text(readme(name, schema_of(name)))
        return
    out = told.out
    shutil.rmtree(out, ignore_errors=True)
    for name in (*SERVICES, "dev"):
        copied(out, name)
        vendor(out, name, "service")
    for name in SERVICES:
        finish(out, name)
    umbrella = copied(out, "rossio")
    for name in ("service", "dev", *SERVICES):
        vendor(out, "rossio", name)
    (umbrella / "topics.json").write_text(json.dumps(list(topics()), indent=1) + "\n")
    finish(out, "rossio")
    print(packed(umbrella))


def copied(out: Path, name: str) -> Path:
    target = out / name
    shutil.copytree(HERE / name, target, ignore=shutil.ignore_patterns("tests"))
    return target


def vendor(out: Path, chart: str, dependency: str) -> None:
    """Puts a chart where `helm dependency build` would, without the schema that is a source of others."""
    source = HERE / dependency if dependency == "service" else out / dependency
    ignored = ["tests", *(["values.schema.json"] if dependency == "service" else [])]
    shutil.copytree(source, out / chart / "charts" / dependency, ignore=shutil.ignore_patterns(*ignored))


def finish(out: Path, name: str) -> None:
    schema = schema_of(name)
    (out / name / "values.schema.json").write_text(json.dumps(schema, indent=1) + "\n")
    (out / name / "README.md").write_text(readme(name, schema))


def topics() -> Iterator[dict[str, Any]]:
    """The topics of topics.yaml, for the objects of which Strimzi makes them; how many replicas, the chart says."""
    for stream in messaging.catalogue().streams.values():
        for topic in topics_of(stream, brokers=3):
            configs = {name: value for name, value in topic.configs.items() if name != "min.insync.replicas"}
            yield {"name": topic.name, "partitions": topic.partitions, "configs": configs}


# Schemas


def schema_of(name: str) -> dict[str, Any]:
    return umbrella_schema() if name == "rossio" else service_schema(name)


def service_schema(name: str) -> dict[str, Any]:
    """The schema of a service's chart: that of all, and the settings and secrets that this one has."""
    schema = _common()
    settings = importlib.import_module(f"{name.replace('-', '_')}.settings").Settings
    config: dict[str, Any] = {}
    secrets: dict[str, Any] = {}
    told, shapes = described(settings), settings.model_json_schema()["properties"]
    for field, info in settings.model_fields.items():
        if field in BY_TEMPLATE or (field.endswith("_address") and field in chart_calls(name)):
            continue
        about = told.get(field, "")
        if SecretStr in (info.annotation, *getattr(info.annotation, "__args__", ())):
            secrets[field.upper()] = _secret(about)
        else:
            shape = {"type": ["string", "number", "boolean", "array", "object"]}
            default = {"default": shapes[field]["default"]} if shapes[field].get("default") is not None else {}
            config[field.upper()] = {**shape, "description": about, **default}
    schema["properties"]["config"] = {
        "type": "object",
        "additionalProperties": False,
        "description": f"Settings of services/{name}, by the names of its README; lists and tables as YAML",
        "properties": config,
    }
    schema["properties"]["secrets"] = {
        "type": "object",
        "additionalProperties": False,
        "description": "Settings that are secret: each in a key of a secret that is there already",
        "properties": secrets,
    }
    own = yaml.safe_load((HERE / name / "values.yaml").read_text())
    for part, names in NAMED.items():
        entry = schema["properties"][part]
        entry["patternProperties"] = {f"^{name}$": entry["additionalProperties"] for name in own.get(names, {})}
        entry["additionalProperties"] = False
    return schema


def umbrella_schema() -> dict[str, Any]:
    """The schema of the umbrella: `global`, its own values, and that of each service below its name."""
    schema = _common()
    own = json.loads((HERE / "rossio" / "own.schema.json").read_text())
    common = schema["properties"]
    schema["title"] = "Rossio, the whole suite"
    schema["properties"] = {
        "global": common["global"],
        "service": common["service"],
        **own,
        "dev": {"type": "object", "description": "charts/dev/values.yaml"},
    }
    for name in SERVICES:
        properties = copy.deepcopy(service_schema(name)["properties"])
        schema["properties"][name] = {
            "type": "object",
            "additionalProperties": False,
            "description": f"services/{name}",
            "properties": properties,
        }
    return schema


def _common() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((HERE / "service" / "values.schema.json").read_text())
    return schema


def _secret(about: str) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "description": about,
        "properties": {
            "existingSecret": {"type": "string", "description": "Name of the secret; empty: the setting is not given"},
            "key": {
                "type": "string",
                "minLength": 1,
                "description": "Its key, else the setting's name as in vault-key",
            },
            "required": {"type": "string", "description": "What it is for, where nothing starts without it"},
        },
    }


def chart_calls(name: str) -> set[str]:
    values = yaml.safe_load((HERE / name / "values.yaml").read_text())
    return {variable.lower() for variable in values.get("calls", {})}


def described(settings: type[Settings]) -> dict[str, str]:
    """What the strings below the fields of settings say, by field."""
    found: dict[str, str] = {}
    for kind in reversed(settings.__mro__):
        if issubclass(kind, Settings):
            body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
            assert isinstance(body, ast.ClassDef)
            for field, text in zip(body.body, body.body[1:], strict=False):
                match field, text:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                        found[name] = " ".join(said.split())
    return found


# READMEs


def readme(name: str, schema: Mapping[str, Any]) -> str:
    chart = yaml.safe_load((HERE / name / "Chart.yaml").read_text())
    defaults = yaml.safe_load((HERE / "service" / "values.yaml").read_text())["defaults"]
    own = yaml.safe_load((HERE / name / "values.yaml").read_text()) or {}
    lines = [f"# {name}", "", chart["description"] + ".", "", "| value | default | |", "|---|---|---|"]
    for path, shape in rows(schema, schema["properties"], ()):
        if name == "rossio" and path[0] in SERVICES:
            continue
        said = (found(own, path), found(defaults, path), shape.get("default"))
        value = next((each for each in said if each is not None), None)
        lines.append(f"| `{'.'.join(path)}` | {_shown(value)} | {shape.get('description', '')} |")
    if name == "rossio":
        lines += ["", "Below the name of a service stand the values of its chart: " + ", ".join(SERVICES) + "."]
    return "\n".join(lines) + "\n"


def rows(
    schema: Mapping[str, Any], properties: Mapping[str, Any], prefix: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Each value that can be set, and its schema."""
    for key, entry in properties.items():
        if key == "service" and not prefix:
            continue
        shape = {**schema["definitions"].get(entry.get("$ref", "").rpartition("/")[2], {}), **entry}
        path = (*prefix, key)
        if isinstance(shape.get("properties"), dict) and key not in {"disruption", "resources"}:
            yield from rows(schema, shape["properties"], path)
        else:
            yield path, shape


def found(values: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(values, Mapping) or key not in values:
            return None
        values = values[key]
    return values


def _shown(value: Any) -> str:
    return "" if value in (None, "", [], {}) else f"`{json.dumps(value)}`".replace("|", "\\|")


# The archive


def packed(chart: Path) -> Path:
    """The chart as `helm package` makes it, and the same bytes each time."""
    version = yaml.safe_load((chart / "Chart.yaml").read_text())["version"]
    target = chart.parent / f"{chart.name}-{version}.tgz"
    with (
        target.open("wb") as file,
        gzip.GzipFile(fileobj=file, mode="wb", mtime=EPOCH, filename="") as packer,
        tarfile.open(fileobj=packer, mode="w") as archive,
    ):
        for path in sorted(path for path in chart.rglob("*") if path.is_file()):
            entry = tarfile.TarInfo(f"{chart.name}/{path.relative_to(chart)}")
            content = path.read_bytes()
            entry.size, entry.mtime, entry.mode = len(content), EPOCH, 0o644
            archive.addfile(entry, io.BytesIO(content))
    return target


if __name__ == "__main__":
    main()
