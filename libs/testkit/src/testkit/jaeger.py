"""A real Jaeger for tests: a collector for OTLP and a store of traces in one program, in memory.

It is built from its Go module into a cache outside the tree, which takes minutes the first time.
"""

import fcntl
import http.client
import json
import os
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml
from devstack.program import LOOPBACK, Missing, Program, free_port

VERSION: Final = "v1.76.0"
_MODULE: Final = "github.com/jaegertracing/jaeger"
_REPLACED: Final = "github.com/Shopify/sarama => github.com/Shopify/sarama v1.33.0"


def binary() -> Path:
    """Where the program is, or will be."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rossio" / f"jaeger-{VERSION}"


def build() -> Path:
    """The program, built if need be.

    Raises:
        Missing: there is no Go, or it could not be built.
    """
    target = binary()
    if target.exists():
        return target
    if shutil.which("go") is None:
        raise Missing("Jaeger is built with Go, which is missing: apt-get install golang")
    folder = target.parent / "jaeger-build"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            (folder / "go.mod").write_text(
                f"module build\n\ngo 1.24\n\nrequire {_MODULE} {VERSION}\n\nreplace {_REPLACED}\n"
            )
            (folder / "tools.go").write_text(f'//go:build tools\n\npackage build\n\nimport _ "{_MODULE}/cmd/jaeger"\n')
            found = json.loads(_go(folder, "mod", "download", "-json", f"{_MODULE}@{VERSION}"))
            (folder / "go.sum").write_text((Path(found["Dir"]) / "go.sum").read_text())
            _go(folder, "build", "-mod=mod", "-o", "jaeger", f"{_MODULE}/cmd/jaeger")
            (folder / "jaeger").replace(target)
    return target


def _go(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["nice", "-n", "19", "go", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise Missing(f"Jaeger could not be built:\n{done.stderr[-2000:]}")
    return done.stdout


@dataclass(frozen=True, slots=True)
class Stored:
    """A span as Jaeger keeps it."""

    trace_id: str
    span_id: str
    parent: tuple[str, str] | None
    """Trace and span; None of a root."""
    links: tuple[tuple[str, str], ...]
    service: str
    name: str
    tags: dict[str, Any]


class Jaeger(Program):
    """Takes OTLP over HTTP at `endpoint`."""

    def __init__(self, folder: Path) -> None:
        super().__init__("jaeger", folder)
        self._query = f"{LOOPBACK}:{free_port()}"
        self._otlp = f"{LOOPBACK}:{free_port()}"
        self.endpoint = f"http://{self._otlp}"

    def command(self) -> Sequence[str | Path]:
        settings = {
            "service": {
                "extensions": ["jaeger_storage", "jaeger_query"],
                "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}},
                "telemetry": {"metrics": {"level": "none"}},
            },
            "extensions": {
                "jaeger_storage": {"backends": {"memory": {"memory": {"max_traces": 100_000}}}},
                "jaeger_query": {
                    "storage": {"traces": "memory"},
                    "http": {"endpoint": self._query},
                    "grpc": {"endpoint": f"{LOOPBACK}:{free_port()}"},
                },
            },
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": self._otlp}}}},
            "exporters": {"jaeger_storage_exporter": {"trace_storage": "memory"}},
        }
        (self.folder / "jaeger.yaml").write_text(yaml.safe_dump(settings))
        return [build(), "--config", str(self.folder / "jaeger.yaml")]

    def ready(self) -> bool:
        try:
            self.services()
        except (OSError, http.client.HTTPException):
            return False
        return True

    def services(self) -> list[str]:
        """The services that have sent spans."""
        return self._ask("services") or []

    def spans(self, service: str) -> list[Stored]:
        """Every span of every trace in which the service has one."""
        traces = self._ask("traces", service=service, limit="10000", lookback="1h") or []
        return [_stored(span, trace["processes"]) for trace in traces for span in trace["spans"]]

    def _ask(self, what: str, **parameters: str) -> Any:
        address = f"http://{self._query}/api/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(address, timeout=30) as answer:
            return json.load(answer)["data"]


def _stored(span: dict[str, Any], processes: dict[str, Any]) -> Stored:
    references = [(each["refType"], (each["traceID"], each["spanID"])) for each in span["references"]]
    parents = [at for kind, at in references if kind == "CHILD_OF"]
    return Stored(
        trace_id=span["traceID"],
        span_id=span["spanID"],
        parent=parents[0] if parents else None,
        links=tuple(at for kind, at in references if kind == "FOLLOWS_FROM"),
        service=processes[span["processID"]]["serviceName"],
        name=span["operationName"],
        tags={tag["key"]: tag["value"] for tag in span["tags"]},
    )
