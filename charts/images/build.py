"""The images: `python charts/images/build.py [--base IMAGE] [--tag TAG] [NAME ...]`, without Docker.

Lays out the context of each image and has buildah put it together after the Dockerfile beside this file. What comes
out, in `.images/` or the folder ROSSIO_IMAGES: an OCI layout that all images share, `rossio.tar` with all of them, and
a CycloneDX SBOM for each.
Needs Debian's buildah and binutils, and apt-get for the packages of the root file system.
"""

import argparse
import compileall
import hashlib
import importlib.metadata
import json
import os
import py_compile
import re
import shutil
import subprocess
import tarfile
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement

ROOT: Final = Path(__file__).parents[2]
OUT: Final = Path(os.environ.get("ROSSIO_IMAGES") or ROOT / ".images")
LAYOUT: Final = OUT / "layout"
ARCHIVE: Final = OUT / "rossio.tar"
# All files bear this time (2020-01-01), so that the same content is the same layer.
EPOCH: Final = "1577836800"
_SOURCE: Final = Path(__file__).read_bytes()
NONROOT: Final = 65532

PYTHON: Final = ("libc6", "libgcc-s1", "libstdc++6", "zlib1g", "libexpat1", "libssl3", "libbz2-1.0", "libffi8",
                 "liblzma5", "libuuid1", "libcrypt1", "libpython3.11-minimal", "libpython3.11-stdlib",
                 "python3.11-minimal", "ca-certificates", "tzdata")  # fmt: skip
JAVA: Final = ("libc6", "libgcc-s1", "libstdc++6", "zlib1g", "openjdk-17-jre-headless")
# What the images hold and nothing at run time asks for.
LEFT_OUT: Final = (
    *(f"usr/share/{name}" for name in ("doc", "man", "lintian", "gdb", "gcc")),
    *(f"usr/lib/python3.11/{name}" for name in ("lib2to3", "idlelib", "pydoc_data", "tkinter", "test", "distutils")),
    *(f"usr/lib/python3.11/{name}" for name in ("curses", "turtle.py", "pydoc.py")),
    *(f"usr/share/zoneinfo/{name}" for name in ("posix", "right")),  # the same zones once more
    "usr/lib/x86_64-linux-gnu/gconv",  # Python has its own codecs
)
UNUSED: Final = (*(f"faststream/{name}" for name in ("nats", "redis", "confluent", "rabbit", "mqtt")), "pydantic/v1")
MOST_MB: Final = 150
SUITE: Final = "/opt/rossio/suite"


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
    contexts = [lay_out(image, bare=told.base != "scratch") for image in wanted]
    if told.context_only:
        return
    with store():
        for image, context in zip(wanted, contexts, strict=True):
            build(image, context, told.base, told.tag)
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
    (context / "root").mkdir(parents=True)
    (context / "suite").mkdir()
    debian = [] if bare else candidates(image.debian)
    if debian:
        shared(
            context / "root",
            json.dumps([debian, *map(str, image.files)]),
            lambda to: lay_out_debian(debian, image.files, to),
        )
    ours, others = closure(image.distributions)
    wanted = locked(others)
    shared(context / "third-party", wanted, lambda to: lay_out_others(wanted, to))
    for name in sorted(ours):
        copy_ours(name, ours[name], context / "suite")
    if image.start:
        write_run(image, context / "suite" / "run")
    bill = bill_of_materials(image, debian, others, ours)
    for place in (context / "suite" / "sbom.cdx.json", OUT / f"{image.name}.cdx.json"):
        place.write_text(json.dumps(bill, indent=1, sort_keys=True) + "\n")
    clean(context / "suite", SUITE)
    shutil.copy(Path(__file__).with_name("Dockerfile"), context)
    return context


def shared(target: Path, what: str, make: Callable[[Path], None]) -> None:
    """A part that several images have: made once for what it is made of, then linked into each context."""
    recipe = hashlib.sha256(what.encode() + _SOURCE).hexdigest()[:16]
    part = OUT / "parts" / recipe
    if not part.exists():
        scratch = part.with_suffix(".making")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        make(scratch)
        scratch.rename(part)
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(part, target, symlinks=True, copy_function=os.link)


def lay_out_others(wanted: str, target: Path) -> None:
    requirements = target.with_suffix(".txt")
    requirements.write_text(wanted)
    if wanted.strip():
        install(target, requirements)
    for left_out in UNUSED:
        shutil.rmtree(target / left_out, ignore_errors=True)
    clean(target, "/opt/rossio/third-party")


def candidates(packages: Sequence[str]) -> list[tuple[str, str]]:
    """Debian packages and the versions that apt-get would install."""
    found = []
    for name in packages:
        candidate = re.search(r"Candidate: (\S+)", run("apt-cache", "policy", name))
        if candidate is None:
            raise SystemExit(f"apt-get knows no package {name}: apt-get update")
        found.append((name, candidate[1]))
    return found


def lay_out_debian(packages: Sequence[tuple[str, str]], files: Sequence[tuple[Path, str]], root: Path) -> None:
    """Unpacks Debian packages, and writes what their scripts would."""
    archives = OUT / "debian"
    archives.mkdir(parents=True, exist_ok=True)
    for name, release in packages:
        pattern = f"{name}_{release.replace(':', '%3a')}_*.deb"
        if not any(archives.glob(pattern)):
            run("apt-get", "download", "-qq", f"{name}={release}", folder=archives)
        run("dpkg", "-x", str(next(archives.glob(pattern))), str(root))
    for left_out in LEFT_OUT:
        if (root / left_out).is_dir():
            shutil.rmtree(root / left_out)
        else:
            (root / left_out).unlink(missing_ok=True)
    (root / "etc" / "passwd").write_text(f"root:x:0:0::/:/\nrossio:x:{NONROOT}:{NONROOT}::/data:/\n")
    (root / "etc" / "group").write_text(f"root:x:0:\nrossio:x:{NONROOT}:\n")
    (root / "etc" / "nsswitch.conf").write_text("hosts: files dns\n")
    trusted = sorted((root / "usr" / "share" / "ca-certificates").rglob("*.crt"))
    if trusted:
        (root / "etc" / "ssl" / "certs").mkdir(parents=True, exist_ok=True)
        bundle = "".join(path.read_text() for path in trusted)
        (root / "etc" / "ssl" / "certs" / "ca-certificates.crt").write_text(bundle)
        shutil.rmtree(root / "usr" / "share" / "ca-certificates")
    for folder in ("tmp", "data"):
        (root / folder).mkdir(exist_ok=True)
    for source_folder, place in files:
        shutil.copytree(source_folder, root / place)
    clean(root, "/")


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


def locked(others: dict[str, str]) -> str:
    """The lines of requirements.lock, with their hashes, for these distributions."""
    blocks = re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text())
    named = [(normal(re.split(r"[=\[ ]", block, maxsplit=1)[0]), block) for block in blocks]
    if missing := others.keys() - {name for name, _ in named}:
        raise SystemExit(f"requirements.lock does not hold {', '.join(sorted(missing))}: make lock")
    return "\n".join(block for name, block in named if name in others) + "\n"


def source(name: str) -> Path:
    """Where a distribution of this repository lies."""
    members = ("protos/pyproject.toml", "libs/*/pyproject.toml", "services/*/pyproject.toml")
    for file in (path for member in members for path in ROOT.glob(member)):
        if f'name = "{name}"' in file.read_text():
            return file.parent
    raise SystemExit(f"no folder of this repository is {name}")


def copy_ours(name: str, release: str, target: Path) -> None:
    """A distribution of this repository, as its wheel would lay it out: packages, and what it says of itself."""
    folder = source(name)
    told = tomllib.loads((folder / "pyproject.toml").read_text())
    wheel = told["tool"]["hatch"]["build"]["targets"]["wheel"]
    for package in wheel.get("packages") or wheel["only-include"]:
        ignored = shutil.ignore_patterns("__pycache__", "*.proto")
        shutil.copytree(folder / package, target / Path(package).name, ignore=ignored)
    about = importlib.metadata.distribution(name).read_text("METADATA")
    assert about is not None, f"{name} is not installed: make env"
    (target / f"{name.replace('-', '_')}-{release}.dist-info").mkdir()
    (target / f"{name.replace('-', '_')}-{release}.dist-info" / "METADATA").write_text(about)


def install(target: Path, requirements: Path) -> None:
    uv = ROOT / ".cache" / "bootstrap" / "bin" / "uv"
    python = ROOT / ".venv" / "bin" / "python"
    run(str(uv), "pip", "install", "-q", "--python", str(python), "--target", str(target), "--no-deps",
        "--link-mode", "copy", "--require-hashes", "-r", str(requirements))  # fmt: skip


def write_run(image: Image, path: Path) -> None:
    module, _, function = image.start.partition(":")
    path.write_text(
        f"#!/usr/bin/python3.11 -P\nimport sys\n\nfrom {module} import {function}\n\nsys.exit({function}())\n"
    )
    path.chmod(0o755)


def clean(folder: Path, prefix: str) -> None:
    """Takes away what differs between two builds or is not run, and compiles: a read-only root cannot later."""
    # Not those in *.libs, which wheel makers have patched in a way that strip would break; Debian's are stripped.
    libraries = [
        str(path)
        for path in folder.rglob("*.so*")
        if path.is_file() and not path.is_symlink() and path.parent.suffix != ".libs" and prefix != "/"
    ]
    if libraries:
        run("strip", "--strip-unneeded", *libraries)  # 29 of 75 MB
    for path in [*folder.rglob("*.dist-info/RECORD"), *folder.rglob("direct_url.json"), *folder.rglob("uv_*.json"),
                 *folder.rglob("*.py[ix]"), *folder.rglob("*.pxd"), *folder.glob(".lock")]:  # fmt: skip
        path.unlink()
    for path in [*folder.rglob("__pycache__"), folder / "bin"]:
        if path.name == "__pycache__" or (prefix != "/" and path.is_dir()):
            shutil.rmtree(path)
    compile_all(folder, prefix, sources=prefix == SUITE)
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (int(EPOCH), int(EPOCH)), follow_symlinks=False)


def compile_all(folder: Path, prefix: str, *, sources: bool) -> None:
    """Bytecode: beside the sources, or without `sources` in their place (27 of 175 MB), which nothing reads.

    A traceback still names file and line of what others wrote, and shows the line of what is ours.
    """
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(
        folder,
        quiet=2,
        stripdir=str(folder),
        prependdir=prefix,
        invalidation_mode=mode,
        workers=1,
        legacy=not sources,
    )
    for path in () if sources else list(folder.rglob("*.pyc")):
        path.with_suffix(".py").unlink(missing_ok=True)


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
    """Layers that another image has already are taken from it: root file system and third parties are made once."""
    name = f"localhost/rossio/{image.name}:{tag}"
    run("buildah", "bud", "-q", "--isolation", "chroot", "--layers", "--timestamp", EPOCH,
        "--build-arg", f"BASE={base}", "-t", name, str(context))  # fmt: skip
    run("buildah", "push", "-q", name, f"oci:{LAYOUT}:{name}")


@contextmanager
def store() -> Iterator[None]:
    """Images are put together in a store of this folder, and nobody else's."""
    folder, told = OUT / "storage", OUT / "storage.conf"
    told.write_text(f'[storage]\ndriver = "overlay"\nrunroot = "{folder}/run"\ngraphroot = "{folder}/graph"\n')
    os.environ["CONTAINERS_STORAGE_CONF"] = str(told)
    try:
        yield
    finally:
        run("buildah", "rmi", "-a", "-f")
        shutil.rmtree(folder, ignore_errors=True)


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
    """A line for each image; a service that has grown too large ends it."""
    made = {name: (digest, manifest) for name, digest, manifest in manifests()}
    too_large = []
    for image in wanted:
        digest, manifest = made[f"localhost/rossio/{image.name}:{tag}"]
        files = (path.lstat() for path in (OUT / "context" / image.name).rglob("*") if path.is_file())
        size = sum(file.st_size for file in files) / 1e6
        packed = sum(layer["size"] for layer in manifest["layers"]) / 1e6
        print(f"{image.name}:{tag}  {size:.0f} MB, {packed:.0f} MB packed  {digest}")
        if size > MOST_MB and (ROOT / "services" / image.name).is_dir():
            too_large.append(image.name)
    if too_large:
        raise SystemExit(f"larger than {MOST_MB} MB: {', '.join(too_large)}")


def run(*command: str, folder: Path | None = None) -> str:
    """What a command prints; when it fails, this ends with what it said."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"`{' '.join(command[:3])}` failed:\n{done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
