"""`python -m tests.charts`: what others' linters say of the charts; part of `make test-charts`.

The schemas of Kubernetes (kubernetes-validate) and checkov's rules, over what each values file renders. Both are
programs of their own, fetched by uv when first asked for; where they cannot be had, the last line says so.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import yaml

from tests.charts.conftest import ROOT, SOURCES, VALUES
from tests.cluster import binaries

_UV: Final = ROOT / ".cache" / "bootstrap" / "bin" / "uv"
_KUBERNETES: Final = "1.35"
_VALIDATE: Final = "kubernetes-validate==1.37.0"
_CHECKOV: Final = "checkov==3.3.30"
_TRIES: Final = 2
_FETCH_SECONDS: Final = 240.0
# Rules that do not hold here, and why.
NOT_HERE: Final = {
    "CKV_K8S_8": "jobs and the test end by themselves: nothing to be alive for",
    "CKV_K8S_9": "nor to be ready for",
    "CKV_K8S_11": "a limit on CPU throttles a pod on an idle node; requests share it fairly",
    "CKV_K8S_15": "tags of releases are never moved",
    "CKV_K8S_21": "the namespace is the installer's",
    "CKV_K8S_35": "settings come as environment variables; nothing in the pods lists them",
    "CKV_K8S_43": "digests belong into the values of who deploys",
}


def rendered(name: str, folder: Path) -> Path:
    """A file with the objects that Kubernetes itself defines; the operators' own have schemas nowhere here."""
    helm = binaries.chart_tools() / "helm"
    told = subprocess.run(
        [helm, "template", "rossio", folder / "rossio", "-f", VALUES[name]], check=True, capture_output=True, text=True
    )
    objects = [found for found in yaml.safe_load_all(told.stdout) if found]
    groups = [found["apiVersion"].rpartition("/")[0] for found in objects]
    own = [found for found, group in zip(objects, groups, strict=True) if "." not in group or group.endswith(".k8s.io")]
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump_all(own))
    print(f"{name}: {len(own)} objects", flush=True)
    return file


def fetched(*tool: str) -> bool:
    """Whether the program is there, or could be fetched, within some tries."""
    asked: list[str | Path] = [_UV, "tool", "run", "-q", *tool, "--help"]
    for _ in range(_TRIES):
        try:
            if subprocess.run(asked, capture_output=True, check=False, timeout=_FETCH_SECONDS).returncode == 0:
                return True
        except subprocess.TimeoutExpired:
            continue
    return False


def main() -> int:
    validate, checkov = ("--from", _VALIDATE, "kubernetes-validate"), ("--from", _CHECKOV, "checkov")
    for tool in (validate, checkov):
        if not fetched(*tool):
            print(f"charts: not linted, {tool[1]} could not be fetched")
            return 0
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        subprocess.run(
            [sys.executable, SOURCES / "assemble.py", "--out", folder], check=True, stdout=subprocess.DEVNULL
        )
        files = [rendered(name, folder) for name in VALUES]
        rules = ["--framework", "kubernetes", "--skip-download", "--compact", "--quiet"]
        rules += ["--skip-check", ",".join(NOT_HERE)]
        asked: list[list[str | Path]] = [
            [*validate, "-k", _KUBERNETES, "--strict", "--quiet", *files],
            [*checkov, *rules, *(part for file in files for part in ("-f", str(file)))],
        ]
        codes = [subprocess.run([_UV, "tool", "run", "-q", *tool], check=False).returncode for tool in asked]
    print(f"charts: {'FAILED' if any(codes) else 'passed'}, by Kubernetes' schemas and checkov's rules")
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
