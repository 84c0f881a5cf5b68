"""What is in the images that `make images` has made: small, for no root, nothing that builds, and told in an SBOM."""

import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MADE = ROOT / ".images"
MOST_BYTES = 150_000_000
SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))
IMAGES = (*SERVICES, "tools")
# Compilers, linkers, package managers, shells: nothing of it is of use to who runs a service, or who breaks into one.
NOT_THERE = re.compile(
    r"(^|/)(bin|sbin)/(gcc|g\+\+|cc|c\+\+|ld|as|make|perl|apt|apt-get|dpkg|pip3?|uv|sh|bash|dash|busybox|curl|wget)$"
)


def manifests(folder: Path) -> dict[str, tuple[str, dict[str, Any]]]:
    """Digest and manifest of each image of an OCI layout, by the image's name."""
    found = {}
    for entry in json.loads((folder / "layout" / "index.json").read_text())["manifests"]:
        name = entry["annotations"]["org.opencontainers.image.ref.name"].removeprefix("localhost/rossio/")
        found[name.partition(":")[0]] = (entry["digest"], json.loads(blob(folder, entry["digest"]).read_text()))
    return found


def blob(folder: Path, digest: str) -> Path:
    return folder / "layout" / "blobs" / digest.replace(":", "/")


def files(image: str) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    for layer in manifests(MADE)[image][1]["layers"]:
        with tarfile.open(blob(MADE, layer["digest"])) as archive:
            for entry in archive:
                yield entry, archive


def content(image: str, name: str) -> bytes:
    for entry, archive in files(image):
        if entry.name == name:
            opened = archive.extractfile(entry)
            assert opened is not None
            return opened.read()
    raise AssertionError(f"{image} has no {name}")


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_is_small_and_runs_as_nobody_on_files_that_nobody_changes(image):
    _, manifest = manifests(MADE)[image]
    config = json.loads(blob(MADE, manifest["config"]["digest"]).read_text())
    assert config["config"]["User"] == "65532:65532"
    size = 0
    for entry, _ in files(image):
        size += entry.size
        assert entry.uid == 0, entry.name
        assert entry.issym() or not entry.mode & 0o022, f"others may write {entry.name}"
        assert not entry.mode & 0o6000, f"{entry.name} takes its owner's rights"
        assert not NOT_THERE.search(entry.name), f"{entry.name} has no use at run time"
    assert size < MOST_BYTES or image not in SERVICES


@pytest.mark.parametrize("image", IMAGES)
def test_an_sbom_beside_the_image_names_all_that_is_in_it(image):
    beside = json.loads((MADE / f"{image}.cdx.json").read_text())
    assert beside == json.loads(content(image, "opt/rossio/suite/sbom.cdx.json"))
    assert (beside["bomFormat"], beside["specVersion"]) == ("CycloneDX", "1.6")
    named = {(part["name"], part["version"]) for part in beside["components"]}
    assert len({part["bom-ref"] for part in beside["components"]}) == len(beside["components"])
    installed = re.compile(r"opt/rossio/[^/]+/([^/]+)-([^/-]+)\.dist-info/METADATA$")
    found = {match.groups() for entry, _ in files(image) if (match := installed.match(entry.name))}
    assert found
    for name, version in found:
        assert (re.sub(r"[-_.]+", "-", name).lower(), version) in named, name
    assert any(part["purl"].startswith("pkg:deb/debian/python3.11-minimal@") for part in beside["components"])


def test_two_builds_are_one_digest(tmp_path):
    """Made once more from nothing: packages fetched, unpacked, compiled and put together in another folder."""
    subprocess.run(
        [sys.executable, ROOT / "charts" / "images" / "build.py", "governance"],
        env={**os.environ, "ROSSIO_IMAGES": str(tmp_path)}, check=True, cwd=ROOT, timeout=600,
    )  # fmt: skip
    assert manifests(tmp_path)["governance"][0] == manifests(MADE)["governance"][0]
