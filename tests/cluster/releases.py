"""Another release of the images, made of those that are there: the same layers under digests and tags of its own."""

import hashlib
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any


def relabelled(layout: Path, folder: Path, tag: str) -> Path:
    """An archive with each image of an OCI layout as another one: a label tells them apart, so their digests differ."""
    shutil.copytree(layout, folder / "layout")
    blobs = folder / "layout" / "blobs" / "sha256"

    def put(told: Any) -> tuple[str, int]:
        content = json.dumps(told, sort_keys=True).encode()
        digest = hashlib.sha256(content).hexdigest()
        (blobs / digest).write_bytes(content)
        return f"sha256:{digest}", len(content)

    def read(digest: str) -> Any:
        return json.loads((blobs / digest.removeprefix("sha256:")).read_text())

    index = json.loads((folder / "layout" / "index.json").read_text())
    for entry in index["manifests"]:
        manifest = read(entry["digest"])
        config = read(manifest["config"]["digest"])
        config["config"]["Labels"] = {**config["config"].get("Labels", {}), "rossio.test/release": tag}
        manifest["config"]["digest"], manifest["config"]["size"] = put(config)
        entry["digest"], entry["size"] = put(manifest)
        name = entry["annotations"]["org.opencontainers.image.ref.name"]
        entry["annotations"]["org.opencontainers.image.ref.name"] = f"{name.rpartition(':')[0]}:{tag}"
    (folder / "layout" / "index.json").write_text(json.dumps(index))
    archive = folder / f"{tag}.tar"
    with tarfile.open(archive, "w") as out:
        for path in sorted((folder / "layout").rglob("*")):
            out.add(path, path.relative_to(folder / "layout"), recursive=False)
    return archive
