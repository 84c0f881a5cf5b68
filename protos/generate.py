"""Build hook: makes the Python package `rossio` beside the .proto files (git-ignored).

The package has the folders of the protos, so that a proto package is a Python package. `uv sync`
runs this whenever a .proto file or topics.yaml changed.
"""

import json
import shutil
import sys
import sysconfig
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from grpc_tools import protoc
from hatchling.builders.hooks.plugin.interface import BuildHookInterface  # pyright: ignore[reportMissingImports] - of the build


class GenerateHook(BuildHookInterface[Any]):
    """Runs protoc, and puts topics.yaml into the package."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - the hook's signature
        root = Path(self.root)
        generate(root, root)


def generate(root: Path, out: Path) -> None:
    """Generates messages, services and stubs for every .proto file below `root`/rossio, and topics.json of topics.yaml.

    Every process reads the topics when it starts, and JSON takes it no library for that.

    Raises:
        RuntimeError: protoc refused a file; it has printed why.
    """
    package = out / "rossio"
    protos = sorted(path.relative_to(root).as_posix() for path in (root / "rossio").rglob("*.proto"))
    arguments = [
        "protoc",
        f"--proto_path={root}",
        f"--proto_path={files('grpc_tools') / '_proto'}",
        f"--python_out={out}",
        f"--grpc_python_out={out}",
        f"--mypy_out=readable_stubs:{out}",
        f"--mypy_grpc_out=readable_stubs,only_async:{out}",
        *(f"--plugin={name}={_script(name)}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")),
    ]
    if protoc.main([*arguments, *protos]) != 0:
        raise RuntimeError("protoc failed; what it says stands above")
    for folder in {package, *(out / Path(proto).parent for proto in protos)}:
        for parent in (folder, *folder.relative_to(out).parents):
            if parent != Path():
                (out / parent / "__init__.py").touch()
    (package / "py.typed").touch()
    (package / "topics.json").write_text(json.dumps(yaml.safe_load((root / "topics.yaml").read_bytes())))


def _script(name: str) -> str:
    """The path of a protoc plug-in in the environment that builds."""
    for folder in (Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))):
        if (folder / name).exists():
            return str(folder / name)
    found = shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is missing from the build environment")
    return found
