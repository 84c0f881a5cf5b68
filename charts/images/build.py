"""The images: `python charts/images/build.py [--base IMAGE] [--tag TAG] [NAME ...]`, without Docker.

Lays out the context of each image and has buildah put it together after the Dockerfile beside this file. What comes
out, in `.images/`: an OCI layout that all images share, `rossio.tar` with all of them, and a CycloneDX SBOM for each.
Needs Debian's buildah and binutils, and apt-get for the packages of the root file system.
"""

import argparse
import compileall
import importlib.metadata
import json
import os
import py_compile
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement

ROOT: Final = Path(__file__).parents[2]
OUT: Final = ROOT / ".images"
LAYOUT: Final = OUT / "layout"
ARCHIVE: Final = OUT / "rossio.tar"
# All files bear this time (2020-01-01), so that the same content is the same layer.
EPOCH: Final = "1577836800"
NONROOT: Final = 65532

PYTHON: Final = ("libc6", "libgcc-s1", "libstdc++6", "zlib1g", "libexpat1", "libssl3", "libbz2-1.0", "libffi8",
                 "liblzma5", "libuuid1", "libcrypt1", "libpython3.11-minimal", "libpython3.11-stdlib",
                 "python3.11-minimal", "ca-certificates")  # fmt: skip
JAVA: Final = ("libc6", "libgcc-s1", "libstdc++6", "zlib1g", "openjdk-17-jre-headless")
# What the images hold and nothing at run time asks for.
LEFT_OUT: Final = tuple(f"usr/share/{name}" for name in ("doc", "man", "lintian")) + tuple(
    f"usr/lib/python3.11/{name}" for name in ("lib2to3", "idlelib", "pydoc_data", "tkinter")
)


@dataclass(frozen=True, slots=True)
class Image:
    """What is put into one image."""

    name: str
    distributions: tuple[str, ...] = ()
    """Those of this repository that it is made of; with what they need."""
    start: str = ""
    """`module:function` that `run` calls."""
    debian: tuple[str, ...] = PYTHON
    files: tuple[tuple[Path, str], ...] = field(default=())
    """Further folders, and where they lie in the root file system."""


def images() -> dict[str, Image]:
    """Every service, what operates them, and the servers of the development values."""
    from devstack import kafka  # noqa: PLC0415 - only the names of images are asked for elsewhere

    services = [path.parent.name for path in sorted((ROOT / "services").glob("*/pyproject.toml"))]
    made = [Image(name, (f"rossio-{name}",), f"{name.replace('-', '_')}.main:main") for name in services]
    made.append(Image("tools", ("rossio-cli",), "cli.entry:main"))
    made.append(Image("mongodb", ("SecantusDB",), "secantus.cli:main"))
    made.append(Image("kafka", debian=JAVA, files=((kafka.cache() / "jars", "opt/kafka/jars"),)))
    return {image.name: image for image in made}


def main() -> None:
    known = images()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}; none: all")
    parser.add_argument("--base", default="scratch", help="an image with Python 3.11 at /usr/bin/python3.11")
    parser.add_argument("--tag", default=version())
    parser.add_argument("--context-only", action="store_true", help="for docker build and skaffold: lay out, build not")
    told = parser.parse_args()
    if strange := set(told.names) - set(known):
        parser.error(f"there is no image {', '.join(sorted(strange))}: {', '.join(known)}")
    wanted = [known[name] for name in told.names or known]
    for image in wanted:
        context = lay_out(image, bare=told.base != "scratch")
        if not told.context_only:
            build(image, context, told.base, told.tag)
    if not told.context_only:
        pack()
        report(wanted, told.tag)


def version() -> str:
    """The release, which the umbrella chart names."""
    chart = (ROOT / "charts" / "rossio" / "Chart.yaml").read_text()
    found = re.search(r"^appVersion: \"?([^\"\n]+)", chart, re.MULTILINE)
    assert found is not None, "charts/rossio/Chart.yaml names no appVersion"
    return found[1]


# What goes in


def lay_out(image: Image, *, bare: bool = False) -> Path:
    """The context of an image, made anew; `bare` leaves the root file system to the base image."""
    context = OUT / "context" / image.name
    shutil.rmtree(context, ignore_errors=True)
    for part in ("root", "third-party", "suite"):
        (context / part).mkdir(parents=True)
    debian = [] if bare else lay_out_debian(image, context / "root")
    ours, others = closure(image.distributions)
    if others:
        install(context / "third-party", "--require-hashes", "-r", locked(others, context / "requirements.txt"))
    if ours:
        install(context / "suite", *(str(source(name)) for name in sorted(ours)))
    if image.start:
        write_run(image, context / "suite" / "run")
    bill = bill_of_materials(image, debian, others, ours)
    for place in (context / "suite" / "sbom.cdx.json", OUT / f"{image.name}.cdx.json"):
        place.write_text(json.dumps(bill, indent=1, sort_keys=True) + "\n")
    for part in ("root", "third-party", "suite"):
        clean(context / part)
    shutil.copy(Path(__file__).with_name("Dockerfile"), context)
    return context


def lay_out_debian(image: Image, root: Path) -> list[tuple[str, str]]:
    """Unpacks Debian packages, and writes what their scripts would; returns names and versions."""
    archives = OUT / "debian"
    archives.mkdir(parents=True, exist_ok=True)
    found = []
    for name in image.debian:
        told = run("apt-cache", "policy", name)
        candidate = re.search(r"Candidate: (\S+)", told)
        if candidate is None:
            raise SystemExit(f"apt-get knows no package {name}: apt-get update")
        found.append((name, candidate[1]))
        archive = next(archives.glob(f"{name}_{candidate[1].replace(':', '%3a')}_*.deb"), None)
        if archive is None:
            run("apt-get", "download", "-qq", f"{name}={candidate[1]}", folder=archives)
            archive = next(archives.glob(f"{name}_{candidate[1].replace(':', '%3a')}_*.deb"))
        run("dpkg", "-x", str(archive), str(root))
    for left_out in LEFT_OUT:
        shutil.rmtree(root / left_out, ignore_errors=True)
    (root / "etc" / "passwd").write_text(f"root:x:0:0::/:/\nrossio:x:{NONROOT}:{NONROOT}::/data:/\n")
    (root / "etc" / "group").write_text(f"root:x:0:\nrossio:x:{NONROOT}:\n")
    (root / "etc" / "nsswitch.conf").write_text("hosts: files dns\n")
    trusted = sorted((root / "usr" / "share" / "ca-certificates").rglob("*.crt"))
    if trusted:
        (root / "etc" / "ssl" / "certs").mkdir(parents=True, exist_ok=True)
        bundle = "".join(path.read_text() for path in trusted)
        (root / "etc" / "ssl" / "certs" / "ca-certificates.crt").write_text(bundle)
    for folder in ("tmp", "data"):
        (root / folder).mkdir(exist_ok=True)
    for folder, place in image.files:
        shutil.copytree(folder, root / place)
    return found


def closure(names: Iterable[str]) -> tuple[dict[str, str], dict[str, str]]:
    """What these distributions need, themselves among it, as this environment has it: ours, and what others wrote."""
    ours: dict[str, str] = {}
    others: dict[str, str] = {}
    waiting: list[tuple[str, frozenset[str]]] = [(name, frozenset()) for name in names]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = entry = waiting.pop()
        if entry in seen:
            continue
        seen.add(entry)
        found = importlib.metadata.distribution(name)
        is_ours = normal(name).startswith("rossio-")
        (ours if is_ours else others)[normal(name)] = found.version
        for line in found.requires or ():
            wanted = Requirement(line)
            marker = wanted.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras or {""}):
                waiting.append((normal(wanted.name), frozenset(wanted.extras)))
    return ours, others


def normal(name: str) -> str:
    """A distribution's name as PEP 503 has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(others: dict[str, str], path: Path) -> str:
    """Writes the lines of requirements.lock, with their hashes, for these distributions."""
    blocks = re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text())
    kept = [block for block in blocks if normal(re.split(r"[=\[ ]", block, maxsplit=1)[0]) in others]
    missing = others.keys() - {normal(re.split(r"[=\[ ]", block, maxsplit=1)[0]) for block in kept}
    if missing:
        raise SystemExit(f"requirements.lock does not hold {', '.join(sorted(missing))}: make lock")
    path.write_text("\n".join(kept) + "\n")
    return str(path)


def source(name: str) -> Path:
    """Where a distribution of this repository lies."""
    members = ("protos/pyproject.toml", "libs/*/pyproject.toml", "services/*/pyproject.toml")
    for file in (path for member in members for path in ROOT.glob(member)):
        if f'name = "{name}"' in file.read_text():
            return file.parent
    raise SystemExit(f"no folder of this repository is {name}")


def install(target: Path, *what: str) -> None:
    uv = ROOT / ".cache" / "bootstrap" / "bin" / "uv"
    python = ROOT / ".venv" / "bin" / "python"
    run(str(uv), "pip", "install", "-q", "--python", str(python), "--target", str(target), "--no-deps",
        "--link-mode", "copy", *what)  # fmt: skip


def write_run(image: Image, path: Path) -> None:
    module, _, function = image.start.partition(":")
    path.write_text(
        f"#!/usr/bin/python3.11 -P\nimport sys\n\nfrom {module} import {function}\n\nsys.exit({function}())\n"
    )
    path.chmod(0o755)


def clean(folder: Path) -> None:
    """Takes away what differs between two builds or is not run, and compiles: a read-only root cannot later."""
    # Not those in *.libs, which wheel makers have patched in a way that strip would break.
    libraries = [
        str(path)
        for path in folder.rglob("*.so*")
        if path.is_file() and not path.is_symlink() and path.parent.suffix != ".libs"
    ]
    if libraries and folder.name == "third-party":
        run("strip", "--strip-unneeded", *libraries)  # wheels carry symbols: 29 of 75 MB
    for path in [*folder.rglob("*.dist-info/RECORD"), *folder.rglob("direct_url.json"), *folder.rglob("uv_*.json"),
                 *folder.rglob("*.py[ix]"), *folder.rglob("*.pxd"), *folder.glob(".lock")]:  # fmt: skip
        path.unlink()
    for path in [*folder.rglob("__pycache__"), *folder.rglob("site-packages/**/tests"), folder / "bin"]:
        if path.is_dir() and path != folder / "usr" / "bin":
            shutil.rmtree(path)
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    prefix = {"root": "/", "third-party": "/opt/rossio/third-party", "suite": "/opt/rossio/suite"}[folder.name]
    compileall.compile_dir(folder, quiet=2, stripdir=str(folder), prependdir=prefix, invalidation_mode=mode, workers=1)


def bill_of_materials(
    image: Image, debian: Sequence[tuple[str, str]], others: dict[str, str], ours: dict[str, str]
) -> dict[str, Any]:
    """A CycloneDX 1.6 document of what is in the image."""

    def component(kind: str, name: str, release: str) -> dict[str, str]:
        purl = f"pkg:{kind}/{name}@{release}"
        return {"type": "library", "bom-ref": purl, "name": name, "version": release, "purl": purl}

    parts = [component("deb", f"debian/{name}", release) for name, release in debian]
    parts += [component("pypi", name, release) for name, release in sorted({**others, **ours}.items())]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": f"rossio/{image.name}", "version": version()}},
        "components": parts,
    }


# How it is put together


def build(image: Image, context: Path, base: str, tag: str) -> None:
    name = f"localhost/rossio/{image.name}:{tag}"
    with Store():
        run("buildah", "bud", "-q", "--isolation", "chroot", "--layers=false", "--timestamp", EPOCH,
            "--build-arg", f"BASE={base}", "-t", name, str(context))  # fmt: skip
        run("buildah", "push", "-q", name, f"oci:{LAYOUT}:{name}")
        run("buildah", "rmi", "-f", name)


class Store:
    """Images are made in a store of this folder, and nobody's else."""

    def __enter__(self) -> None:
        os.environ["STORAGE_DRIVER"] = "vfs"
        os.environ["CONTAINERS_STORAGE_CONF"] = str(OUT / "storage.conf")
        (OUT / "storage.conf").write_text(
            f'[storage]\ndriver = "vfs"\nrunroot = "{OUT}/storage/run"\ngraphroot = "{OUT}/storage/graph"\n'
        )

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(OUT / "storage", ignore_errors=True)


def pack() -> None:
    """One archive of the layout, which `ctr images import`, `podman load` and `skopeo` read."""
    prune()
    with tarfile.open(ARCHIVE, "w") as archive:
        for path in sorted(LAYOUT.rglob("*")):
            archive.add(path, path.relative_to(LAYOUT), recursive=False)


def prune() -> None:
    """Leaves out what an image of the same name took the place of."""
    index = json.loads((LAYOUT / "index.json").read_text())
    index["manifests"] = [entry for entry in index["manifests"] if entry.get("annotations")]
    (LAYOUT / "index.json").write_text(json.dumps(index))
    wanted = set()
    for _, digest, manifest in manifests():
        wanted |= {digest, manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])}
    for blob in (LAYOUT / "blobs" / "sha256").iterdir():
        if f"sha256:{blob.name}" not in wanted:
            blob.unlink()


def manifests() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Name, digest and manifest of each image of the layout."""
    index = json.loads((LAYOUT / "index.json").read_text())
    for entry in index["manifests"]:
        digest = entry["digest"]
        manifest = json.loads((LAYOUT / "blobs" / digest.replace(":", "/")).read_text())
        yield entry["annotations"]["org.opencontainers.image.ref.name"], digest, manifest


def report(wanted: Sequence[Image], tag: str) -> None:
    names = {f"localhost/rossio/{image.name}:{tag}" for image in wanted}
    for name, digest, manifest in manifests():
        if name in names:
            size = sum(path.stat().st_size for path in (OUT / "context" / name.split("/")[-1].split(":")[0]).rglob("*")
                       if path.is_file() and not path.is_symlink())  # fmt: skip
            packed = sum(layer["size"] for layer in manifest["layers"])
            print(f"{name}  {size / 1e6:.0f} MB, {packed / 1e6:.0f} MB packed  {digest}")


def run(*command: str, folder: Path | None = None) -> str:
    """What a command prints; when it fails, this ends with what it said."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"`{' '.join(command[:3])}` failed:\n{done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
